#include "zoo/boltzmann/settings.h"

#include <fmt/core.h>

#include "zoo/boltzmann/visible_machine.h"
#include "zoo/common/command_line.h"
#include "zoo/common/extents.h"
#include "zoo/common/failure.h"

namespace genera::zoo::boltzmann {

void add_flags(Verb& verb, BoltzmannSettings& s) {
  s.train.batch = 100;
  s.train.validations = 10;  // each takes seconds
  add_train_flags(verb, s.train);
  verb.choice(
          "model", s.model, {"rbm", "gaussian", "dbn", "dbm", "visible"},
          "Restricted machine with binary or real-valued pixels, deep belief net, deep machine, "
          "machine without hidden units")
      .option("hidden", s.hidden,
              "Units of the hidden layers, as in 500,1000; default 500 for one layer, 500,500 for "
              "dbn, 500,1000 for dbm")
      .choice("training", s.training, {"cd", "pcd", "pt", "exact"},
              "The model's statistics: from the data, from persistent chains, from tempered ones, "
              "by enumeration (visible only)")
      .option("sweeps", s.sweeps, "Gibbs sweeps of a step (the k of CD-k and PCD-k)",
              Range{1, 1000})
      .option("chains", s.chains, "pcd, pt: persistent chains", Range{1, 1e5})
      .option("temperatures", s.temperatures, "pt: inverse temperatures from 0 to 1",
              Range{2, 1000})
      .option("mean-field", s.mean_field, "dbm: rounds of mean-field inference", Range{1, 1000})
      .option("shrink", s.shrink,
              "Averages images over squares of this side first; 0: 7 for visible, else 1",
              Range{0, 4096})
      .option("lr", s.lr, "Learning rate; 0: the model's own", Range{0, 1e37})
      .choice("schedule", s.schedule, {"linear", "cosine", "constant"},
              "Learning rate over the steps; linear and cosine end at 0")
      .option("pretrain", s.pretrain,
              "dbm: share of the steps, at the beginning, that train the first hidden layer alone",
              Range{0, 0.99})
      .option("momentum", s.momentum, "Momentum", Range{0, 0.9999})
      .option("weight-decay", s.weight_decay, "Of weights and biases", Range{0, 1})
      .choice("gradient", s.gradient, {"centred", "plain"},
              "Gradients in centred units, or as they are")
      .option("weight-average", s.weight_average,
              "Decay of the averaged weights that are evaluated; 0: none", Range{0, 0.999999})
      .option("betas", s.betas, "Steps of annealed importance sampling at the end", Range{10, 1e7})
      .option("validation-betas", s.validation_betas,
              "Steps of annealed importance sampling in validations", Range{10, 1e7});
}

namespace {

ImageShape image_shape(const BoltzmannSettings& s, std::int64_t channels, std::int64_t height,
                       std::int64_t width) {
  ImageShape shape{channels, height, width};
  shape.shrink = s.shrink > 0 ? s.shrink : s.model == "visible" ? 7 : 1;
  shape.binary = s.model != "gaussian";
  if (height % shape.shrink != 0 || width % shape.shrink != 0)
    throw UsageError(
        fmt::format("--shrink {}: images of {}x{} have no whole number of such squares",
                    shape.shrink, height, width));
  return shape;
}

// Layers of the model: what --hidden says, in the number that the model has.
std::vector<std::int64_t> hidden_layers(const BoltzmannSettings& s) {
  const bool deep = s.model == "dbn" || s.model == "dbm";
  constexpr std::int64_t most = 100'000;
  const auto parsed = parse_extents(hidden_text(s), most);
  if (!parsed)
    throw UsageError(
        fmt::format("--hidden {}: wants the units of each layer, from 1 to {}, as in 500,1000",
                    s.hidden, most));
  const std::vector<std::int64_t>& layers = *parsed;
  if (!deep && layers.size() != 1)
    throw UsageError(
        fmt::format("--hidden {}: --model {} has one hidden layer", s.hidden, s.model));
  if (deep && layers.size() < 2)
    throw UsageError(
        fmt::format("--hidden {}: --model {} has two hidden layers or more", s.hidden, s.model));
  return layers;
}

}  // namespace

Model make_model(const BoltzmannSettings& s, std::int64_t channels, std::int64_t height,
                 std::int64_t width) {
  const ImageShape shape = image_shape(s, channels, height, width);
  const Key key = Key(s.train.seed).fold_in(0);
  const std::int64_t count = shape.visible_size();
  if (s.model == "visible") {
    if (!s.hidden.empty()) throw UsageError("--hidden: --model visible has no hidden units");
    constexpr std::int64_t most = 64;
    if (count > most)
      throw UsageError(fmt::format(
          "--model visible draws its units one by one: {} are too many, at most {}; try --shrink",
          count, most));
    return {shape, {}, std::make_shared<VisibleMachine>(count)};
  }
  const std::vector<std::int64_t> hidden = hidden_layers(s);
  if (s.model != "dbn")
    return {shape,
            {},
            std::make_shared<LayeredMachine>(
                shape.binary ? make_binary_units(count) : make_gaussian_units(count), hidden, key)};
  std::vector<std::shared_ptr<const LayeredMachine>> layers;
  std::int64_t below = count;
  for (std::size_t l = 0; l < hidden.size(); ++l) {
    layers.push_back(std::make_shared<LayeredMachine>(
        make_binary_units(below), std::vector<std::int64_t>{hidden[l]}, key.fold_in(l)));
    below = hidden[l];
  }
  std::shared_ptr<const Machine> top = layers.back();
  layers.pop_back();
  return {shape, std::move(layers), std::move(top)};
}

std::string hidden_text(const BoltzmannSettings& s) {
  if (!s.hidden.empty() || s.model == "visible") return s.hidden;
  return s.model == "dbm" ? "500,1000" : s.model == "dbn" ? "500,500" : "500";
}

double learning_rate(const BoltzmannSettings& s) {
  if (s.lr > 0) return s.lr;
  return s.model == "visible"    ? 0.5
         : s.model == "gaussian" ? 2e-3
         : s.model == "dbm"      ? 0.02
                                 : restricted_rate;
}

SamplerOptions sampler_options(const BoltzmannSettings& s) {
  const Training training = s.training == "cd"   ? Training::cd
                            : s.training == "pt" ? Training::pt
                                                 : Training::pcd;
  return {training, s.sweeps, s.chains, s.temperatures};
}

}  // namespace genera::zoo::boltzmann
