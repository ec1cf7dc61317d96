#include "zoo/flow/settings.h"

#include <fmt/core.h>

#include "zoo/common/command_line.h"
#include "zoo/common/failure.h"
#include "zoo/common/spelling.h"
#include "zoo/flow/densities.h"

namespace genera::zoo::flow {
namespace {

constexpr std::int64_t dequantising_couplings = 2;

// What a model's name stands for, and what --layers and --logit mean when they are left to it.
struct ModelDefaults {
  bool images, vectors;  // what it is for
  std::int64_t image_layers;
  double logit;
  std::shared_ptr<const Bijection> (*make)(const FlowShape&, const Key&);
};
constexpr std::int64_t vector_layers = 8;

ModelDefaults defaults_of(const std::string& model) {
  if (model == "realnvp") return {true, true, 3, 0.05, make_realnvp};
  if (model == "glow") return {true, false, 8, 0, make_glow};
  if (model == "maf") return {false, true, 8, 0, make_maf};
  return {false, true, 8, 0, make_spline_flow};
}

void check_image(const FlowShape& shape) {
  const std::int64_t factor = std::int64_t{1} << shape.levels;
  if (shape.example[1] % factor != 0 || shape.example[2] % factor != 0)
    throw UsageError(fmt::format(
        "--levels {} halves the images {} times: height and width must be multiples of {}, got "
        "{} x {}; use fewer levels",
        shape.levels, shape.levels, factor, shape.example[1], shape.example[2]));
}

std::string no_vectors(const FlowSettings& settings) {
  std::vector<std::string> names;
  std::string list;
  for (const Density2d& density : densities()) {
    names.emplace_back(density.name);
    list += names.back() + ", ";
  }
  const std::string nearest = nearest_name(settings.train.data, names);
  return fmt::format(
      "--model {} is for vectors: {}or a .csv file; --data {} is none of them{} (images: --model "
      "glow)",
      settings.model, list, settings.train.data,
      nearest.empty() ? "" : "; did you mean " + nearest + "?");
}

}  // namespace

void add_flags(Verb& verb, FlowSettings& s) {
  s.train.data = "moons";
  s.train.batch = 256;
  add_train_flags(
      verb, s.train,
      {.data =
           "8-gaussians, moons, rings, circles or checkerboard; a .csv file; or images: a "
           "name (fashion-mnist, sprites, a folder in $GENERA_DATA), or the path of a folder of "
           "IDX or PNG files",
       .items = "examples"});
  verb.choice("model", s.model, {"realnvp", "glow", "maf", "spline"},
              "The flow: glow for images, maf and spline for vectors, realnvp for both")
      .option("layers", s.layers, "Couplings, or steps of each level; 0: the model's own",
              Range{0, 1e3})
      .option("hidden", s.hidden, "Units or channels of hidden layers; 0: the model's own",
              Range{0, 1e4})
      .option("levels", s.levels, "Images: how often they are squeezed", Range{1, 8})
      .option("bins", s.bins, "spline: bins", Range{2, 256})
      .option("bound", s.bound, "spline: it acts on [-bound, bound]", Range{0.1, 1e3})
      .choice("convolution", s.convolution, {"lu", "plain"}, "glow: form of the 1x1 convolution")
      .choice("dequantisation", s.dequantisation, {"uniform", "variational"},
              "Images: noise that makes bytes continuous")
      .option("logit", s.logit, "Images: alpha of the logit; 0: none, -1: the model's own",
              Range{-1, 0.49})
      .choice("optimizer", s.optimizer, {"adam", "adamax"}, "The rule of a step")
      .option("lr", s.lr, "Learning rate", Range{0, 1e37})
      .option("lr-warmup", s.lr_warmup, "Steps over which the learning rate rises", Range{0, 1e12})
      .choice("schedule", s.schedule, {"cosine", "constant"}, "Learning rate over the steps")
      .option("clip", s.clip, "Largest norm of the gradients; 0: any, -1: the model's own",
              Range{-1, 1e12})
      .option("weight-average", s.weight_average,
              "Decay of the averaged weights that are evaluated; 0: none", Range{0, 0.999999});
}

bool on_images(const FlowSettings& settings) {
  const bool images = names_images(settings.train.data);
  const ModelDefaults model = defaults_of(settings.model);
  if (!model.vectors) {
    if (!images && !settings.train.smoke)
      throw UsageError(
          fmt::format("--model {} is for images, --data {} are vectors; use "
                      "--model realnvp or --data fashion-mnist",
                      settings.model, settings.train.data));
    return true;
  }
  if (!model.images && images) throw UsageError(no_vectors(settings));
  return images;
}

void choose_batch(Verb& verb, const FlowSettings& settings) {
  // Steps on images take long, and their number counts more than the noise of each: in the same time
  // batches of 16 get much further than those of 32.
  if (verb.source("batch") == Source::unset && on_images(settings)) verb.set("batch", "16");
}

std::unique_ptr<Examples> open_examples(const FlowSettings& settings) {
  TrainFlags flags = settings.train;
  if (on_images(settings) && flags.smoke) flags.data = "sprites";
  return open_examples(flags);
}

std::shared_ptr<const FlowModel> make_flow(const FlowSettings& settings, const Shape& example) {
  const bool images = example.rank() == 3;
  const ModelDefaults defaults = defaults_of(settings.model);
  FlowShape shape;
  shape.example = example;
  shape.layers = settings.layers > 0 ? settings.layers
                 : images            ? defaults.image_layers
                                     : vector_layers;
  shape.hidden = settings.hidden > 0 ? settings.hidden : 64;
  shape.levels = settings.levels;
  shape.bins = settings.bins;
  shape.bound = settings.bound;
  shape.linear = settings.convolution;
  shape.logit = settings.logit >= 0 ? settings.logit : defaults.logit;
  shape.variational = settings.dequantisation == "variational" ? dequantising_couplings : 0;
  if (images) check_image(shape);
  const Key key = Key(settings.train.seed).fold_in(0);
  return std::make_shared<FlowModel>(shape, defaults.make(shape, key.fold_in(0)), key.fold_in(1));
}

}  // namespace genera::zoo::flow
