#include "zoo/vae/settings.h"

#include "zoo/common/command_line.h"

namespace genera::zoo::vae {

void add_flags(Verb& verb, VaeSettings& s) {
  add_train_flags(verb, s.train);
  verb.choice("model", s.model, {"mlp", "conv", "cvae", "ladder", "vqvae"},
              "cvae: given the class; ladder: several stochastic layers; vqvae: discrete, with a "
              "PixelCNN as prior")
      .option(
          "latent", s.latent,
          "Latent dimensions (ladder: of the lowest layer, vqvae: of a code); 0: 20 for mlp and "
          "cvae, else 32",
          Range{0, 1e5})
      .option("hidden", s.hidden,
              "Units of the fully connected hidden layers (vqvae: features of the prior); 0: 400, "
              "256 for conv and cvae, 32 for vqvae",
              Range{0, 1e5})
      .option("width", s.width, "conv, cvae, vqvae: channels after the first convolution",
              Range{1, 1e4})
      .option("layers", s.layers,
              "ladder: stochastic layers; vqvae: layers of the prior; 0: 2, or as many as let the "
              "last code see all",
              Range{0, 64})
      .option("codes", s.codes, "vqvae: vectors of the codebook", Range{2, 65536})
      .option("iwae-train", s.iwae_train,
              "Train on the importance-weighted bound of this many draws; 0: on the ELBO",
              Range{0, 1e4})
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

namespace {

// What --latent, --hidden and --layers mean when they are 0.
struct ModelDefaults {
  std::int64_t latent, hidden, layers;
  std::unique_ptr<LatentModel> (*make)(const VaeShape&, const Key&);
};

ModelDefaults defaults_of(const std::string& model) {
  if (model == "conv") return {32, 256, 1, make_conv_vae};
  if (model == "cvae") return {20, 256, 1, make_conditional_vae};
  if (model == "ladder") return {32, 400, 2, make_ladder_vae};
  if (model == "vqvae") return {32, 32, 0, make_vq_vae};
  return {20, 400, 1, make_mlp_vae};
}

}  // namespace

VaeObjective make_objective(const VaeSettings& settings, std::int64_t channels, std::int64_t height,
                            std::int64_t width, std::int64_t classes) {
  const ModelDefaults defaults = defaults_of(settings.model);
  VaeShape shape{channels, height, width};
  shape.latent = settings.latent > 0 ? settings.latent : defaults.latent;
  shape.hidden = settings.hidden > 0 ? settings.hidden : defaults.hidden;
  shape.layers = settings.layers > 0 ? settings.layers : defaults.layers;
  shape.filters = settings.width;
  shape.codes = settings.codes;
  shape.classes = classes;
  return {defaults.make(shape, Key(settings.train.seed).fold_in(0)),
          settings.likelihood == "logistic" ? Likelihood::logistic : Likelihood::bernoulli};
}

}  // namespace genera::zoo::vae
