#include "zoo/vae/settings.h"

#include "zoo/common/command_line.h"

namespace genera::zoo {

void add_flags(Verb& verb, VaeSettings& s) {
  add_train_flags(verb, s.train);
  verb.choice("model", s.model, {"mlp", "conv"}, "Encoder and decoder")
      .option("latent", s.latent, "Latent dimensions; 0: 20 for mlp, 32 for conv", Range{0, 1e5})
      .option("hidden", s.hidden, "Units of the fully connected hidden layers; 0: 400 or 256",
              Range{0, 1e5})
      .option("width", s.width, "conv: channels after the first convolution", Range{1, 1e4})
      .choice("likelihood", s.likelihood, {"bernoulli", "logistic"},
              "p(x|z) of a pixel; logistic: discretised to 256 levels, learned scale")
      .choice("binarize", s.binarize, {"none", "dynamic"},
              "dynamic: draw each pixel anew with its grey value as probability")
      .option("beta", s.beta, "Weight of the KL divergence (beta-VAE)", Range{0, 1e6})
      .option("kl-warmup", s.kl_warmup, "Steps over which beta rises from 0", Range{0, 1e12})
      .option("lr", s.lr, "Learning rate of Adam", Range{0, 1e37})
      .option("lr-warmup", s.lr_warmup, "Steps over which the learning rate rises", Range{0, 1e12})
      .choice("schedule", s.schedule, {"cosine", "constant"}, "Learning rate over the steps")
      .option("clip", s.clip, "Largest norm of the gradients; 0: any", Range{0, 1e12})
      .option("weight-average", s.weight_average,
              "Decay of the averaged weights that are evaluated; 0: none", Range{0, 0.999999});
}

VaeObjective make_objective(const VaeSettings& settings, std::int64_t channels, std::int64_t height,
                            std::int64_t width) {
  const bool conv = settings.model == "conv";
  VaeShape shape{channels, height, width};
  shape.latent = settings.latent > 0 ? settings.latent : conv ? 32 : 20;
  shape.hidden = settings.hidden > 0 ? settings.hidden : conv ? 256 : 400;
  shape.filters = settings.width;
  const Key key = Key(settings.train.seed).fold_in(0);
  std::shared_ptr<const Vae> vae = conv ? make_conv_vae(shape, key) : make_mlp_vae(shape, key);
  return {std::move(vae),
          settings.likelihood == "logistic" ? Likelihood::logistic : Likelihood::bernoulli};
}

}  // namespace genera::zoo
