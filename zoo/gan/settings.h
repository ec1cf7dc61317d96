/// What a GAN is made and trained with: the flags of genera-gan.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "zoo/common/common_flags.h"
#include "zoo/gan/examples.h"
#include "zoo/gan/model.h"
#include "zoo/gan/objective.h"

namespace genera::zoo {
class Verb;
}

namespace genera::zoo::gan {

struct GanSettings {
  TrainFlags train;
  std::string model = "sngan";
  std::string network = "auto";
  bool conditional = false;
  std::int64_t latent = 0;  ///< 0: the network's own, as width
  std::int64_t width = 0;
  double lr = 0;  ///< 0: the model's own, as below
  double critic_lr = 0;
  std::int64_t critic_steps = 0;
  double penalty = 10;
  std::int64_t pack = 1;
  std::string schedule = "linear";
  double weight_average = 0.999;
};

/// What a model's name stands for, with what the flags change of it.
struct GanRecipe {
  GanLoss loss = GanLoss::nonsaturating;
  CriticNorm norm = CriticNorm::batch;
  bool penalised = false;  ///< by gradient_penalty()
  bool convolutions = true;
  std::int64_t critic_steps = 1;  ///< of the discriminator for each of the generator
  double lr = 2e-4;               ///< of Adam, for the generator
  double critic_lr = 2e-4;
  double beta1 = 0.5;
  double beta2 = 0.999;
};

/// Adds all of a training run's flags.
void add_flags(Verb& verb, GanSettings& settings);

/// UsageError for flags that contradict each other.
GanRecipe make_recipe(const GanSettings& settings, const Shape& example);

/// The real examples that the settings name; with --smoke a few sprites in place of images.
std::unique_ptr<Examples> open_examples(const GanSettings& settings);

/// The networks for examples of this shape, initialised from the seed; conditional ones know
/// `classes` labels.
Gan make_gan(const GanSettings& settings, const Shape& example, std::int64_t classes);

}  // namespace genera::zoo::gan
