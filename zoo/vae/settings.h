/// What a VAE is made and trained with: the flags of genera-vae.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "zoo/common/common_flags.h"
#include "zoo/vae/objective.h"

namespace genera::zoo {
class Verb;
}

namespace genera::zoo::vae {

struct VaeSettings {
  TrainFlags train;
  std::string model = "mlp";
  std::int64_t latent = 0;  ///< 0: the model's own, as hidden
  std::int64_t hidden = 0;
  std::int64_t width = 32;
  std::string likelihood = "bernoulli";
  std::string binarize = "none";
  double beta = 1;
  std::int64_t kl_warmup = 0;
  double lr = 3e-3;
  std::int64_t lr_warmup = 300;
  std::string schedule = "cosine";
  double clip = 0;
  double weight_average = 0.999;
  std::int64_t iwae_train = 0;  ///< 0: train on the ELBO
  std::int64_t layers = 0;      ///< 0: the model's own
  std::int64_t codes = 64;
};

/// Adds all of a training run's flags.
void add_flags(Verb& verb, VaeSettings& settings);

/// The model for images of (channels, height, width) in `classes` classes (0: without labels),
/// initialised from the seed.
VaeObjective make_objective(const VaeSettings& settings, std::int64_t channels, std::int64_t height,
                            std::int64_t width, std::int64_t classes);

}  // namespace genera::zoo::vae
