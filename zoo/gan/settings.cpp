#include "zoo/gan/settings.h"

#include <fmt/core.h>

#include "zoo/common/command_line.h"
#include "zoo/common/failure.h"

namespace genera::zoo::gan {
namespace {

// The settings of each paper's experiments on small images.
GanRecipe recipe_of(const std::string& model) {
  GanRecipe recipe;  // dcgan: Radford et al., 1511.06434, section 4
  if (model == "gan") {
    recipe.norm = CriticNorm::none;
    recipe.convolutions = false;
  } else if (model == "lsgan") {
    recipe.loss = GanLoss::least_squares;
  } else if (model == "sngan") {  // Miyato et al., 1802.05957, table 1, setting C
    recipe.loss = GanLoss::hinge;
    recipe.norm = CriticNorm::spectral;
  } else if (model == "wgan-gp") {  // Gulrajani et al., 1704.00028, algorithm 1
    recipe.loss = GanLoss::wasserstein;
    recipe.norm = CriticNorm::none;
    recipe.penalised = true;
    recipe.critic_steps = 5;
    recipe.lr = recipe.critic_lr = 1e-4;
    recipe.beta1 = 0;
    recipe.beta2 = 0.9;
  }
  return recipe;
}

}  // namespace

void add_flags(Verb& verb, GanSettings& s) {
  add_train_flags(verb, s.train,
                  {.data = "grid (25 normal distributions in the plane), or images: a name "
                           "(fashion-mnist, sprites, a folder in $GENERA_DATA), or the path of a "
                           "folder of IDX or PNG files"});
  verb.choice("model", s.model, {"gan", "dcgan", "lsgan", "sngan", "wgan-gp"},
              "Objective and normalisation")
      .choice("network", s.network, {"auto", "conv", "mlp"},
              "auto: mlp for points and for --model gan, else conv")
      .flag("conditional", s.conditional, "Both networks are told the label", Kept::in_config)
      .option("latent", s.latent, "Latent dimensions; 0: 64, or 2 for points", Range{0, 1e5})
      .option("width", s.width,
              "conv: channels next to the image, mlp: hidden units; 0: 64, or 128 for mlp",
              Range{0, 1e5})
      .option("lr", s.lr, "Learning rate of the generator; 0: the model's own", Range{0, 1e37})
      .option("critic-lr", s.critic_lr, "That of the discriminator; 0: the model's own",
              Range{0, 1e37})
      .option("critic-steps", s.critic_steps,
              "Steps of the discriminator for one of the generator; 0: the model's own",
              Range{0, 1000})
      .option("penalty", s.penalty, "wgan-gp: lambda, the gradient penalty's weight",
              Range{0, 1e12})
      .option("pack", s.pack, "mlp: examples that the discriminator sees at once (PacGAN)",
              Range{1, 100})
      .choice("schedule", s.schedule, {"linear", "constant"},
              "Learning rates over the steps; linear: down to 0")
      .option("weight-average", s.weight_average,
              "Decay of the averaged generator that is evaluated; 0: none", Range{0, 0.999999});
}

GanRecipe make_recipe(const GanSettings& settings, const Shape& example) {
  GanRecipe recipe = recipe_of(settings.model);
  if (example.rank() != 3) recipe.convolutions = false;
  if (settings.network == "mlp") recipe.convolutions = false;
  if (settings.network == "conv") {
    if (example.rank() != 3) throw UsageError("--network conv wants images, this data is points");
    recipe.convolutions = true;
  }
  if (settings.lr > 0) recipe.lr = recipe.critic_lr = settings.lr;
  if (settings.critic_lr > 0) recipe.critic_lr = settings.critic_lr;
  if (settings.critic_steps > 0) recipe.critic_steps = settings.critic_steps;
  if (settings.pack > 1 && recipe.penalised)
    throw UsageError("--pack goes with no gradient penalty: use another --model than wgan-gp");
  if (settings.train.batch % settings.pack != 0)
    throw UsageError(
        fmt::format("--batch {} is no multiple of --pack {}", settings.train.batch, settings.pack));
  return recipe;
}

std::unique_ptr<Examples> open_examples(const GanSettings& settings) {
  return settings.train.data == "grid" ? make_grid_examples(settings.train)
                                       : make_image_examples(settings.train);
}

Gan make_gan(const GanSettings& settings, const Shape& example, std::int64_t classes) {
  const GanRecipe recipe = make_recipe(settings, example);
  if (settings.conditional && classes == 0)
    throw UsageError("--conditional needs labels, and this data has none");
  const bool points = example.rank() == 1;
  GanShape shape;
  shape.example = example;
  shape.classes = settings.conditional ? classes : 0;
  shape.latent = settings.latent > 0 ? settings.latent : points ? 2 : 64;
  shape.width = settings.width > 0 ? settings.width : recipe.convolutions ? 64 : 128;
  shape.pack = settings.pack;
  shape.critic_norm = recipe.norm;
  const Key key = Key(settings.train.seed).fold_in(0);
  return recipe.convolutions ? make_dcgan(shape, key) : make_mlp_gan(shape, key);
}

}  // namespace genera::zoo::gan
