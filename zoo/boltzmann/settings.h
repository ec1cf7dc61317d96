/// What a Boltzmann machine is made and trained with: the flags of genera-boltzmann.
#pragma once

#include <cstdint>
#include <string>

#include "zoo/boltzmann/model.h"
#include "zoo/boltzmann/sampler.h"
#include "zoo/common/common_flags.h"

namespace genera::zoo {
class Verb;
}

namespace genera::zoo::boltzmann {

struct BoltzmannSettings {
  TrainFlags train;
  std::string model = "rbm";
  std::string hidden;  ///< "500,1000"; empty: the model's own
  std::string training = "pcd";
  std::int64_t sweeps = 1;
  std::int64_t chains = 100;
  std::int64_t temperatures = 10;
  std::int64_t mean_field = 4;
  std::int64_t shrink = 0;  ///< 0: the model's own
  double lr = 0;            ///< 0: the model's own
  std::string schedule = "linear";
  double momentum = 0;
  double pretrain = 0.5;
  double weight_decay = 0;
  std::string gradient = "centred";
  double weight_average = 0.999;
  std::int64_t betas = 14500;
  std::int64_t validation_betas = 1000;
};

/// Adds all of a training run's flags.
void add_flags(Verb& verb, BoltzmannSettings& settings);

/// The model for images of these extents, initialised from the seed.
Model make_model(const BoltzmannSettings& settings, std::int64_t channels, std::int64_t height,
                 std::int64_t width);

/// Units of the hidden layers, "500,1000"; empty where the model has none.
std::string hidden_text(const BoltzmannSettings& settings);
/// The learning rate of restricted machines with binary units where --lr does not say.
inline constexpr double restricted_rate = 0.1;
double learning_rate(const BoltzmannSettings& settings);
SamplerOptions sampler_options(const BoltzmannSettings& settings);

}  // namespace genera::zoo::boltzmann
