// genera-vae: variational autoencoders. The verbs are thin: what they do is in the files named like
// it.

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "zoo/common/classifier.h"
#include "zoo/common/image_data.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/saved_states.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/experiment.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo::vae {
namespace {

struct VaeReadFlags : ReadFlags {
  std::string path = "spherical";
  std::int64_t steps = 10;
  std::int64_t iwae = 0;
  std::int64_t label = -1;
  bool draws = false;
};

VaeObjective trained_objective(const TrainedRun& run, const VaeSettings& settings) {
  const auto extents = run.extents("image", 3);
  const std::int64_t classes =
      run.checkpoint.metadata.contains("classes") ? run.extents("classes", 1)[0] : 0;
  VaeObjective objective = run.built(
      [&] { return make_objective(settings, extents[0], extents[1], extents[2], classes); });
  run.restore(objective.states());
  return objective;
}

data::Images test_images(const TrainedRun& run, const VaeSettings& settings,
                         const ReadFlags& flags) {
  data::Images images = open_test_images(settings.train, flags.data, run.extents("image", 3));
  if (run.checkpoint.metadata.contains("classes"))
    check_labels(images, run.extents("classes", 1)[0],
                 flags.data.empty() ? settings.train.data : flags.data);
  return images;
}

// The labels of what `sample` draws: all of --label, or every class in turn; none of a model that
// takes none.
std::vector<std::int32_t> wanted_labels(const LatentModel& model, const VaeReadFlags& flags) {
  if (!model.conditional()) {
    if (flags.label >= 0) throw UsageError("--label: this model was trained without classes");
    return {};
  }
  if (flags.label < 0) return cycled_labels(flags.count, model.shape().classes);
  if (flags.label >= model.shape().classes)
    throw UsageError(
        fmt::format("--label {}: the labels are 0 to {}", flags.label, model.shape().classes - 1));
  return std::vector<std::int32_t>(static_cast<std::size_t>(flags.count),
                                   static_cast<std::int32_t>(flags.label));
}

int sample(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const auto labels = wanted_labels(objective.model(), flags);
  VaeReadFlags shown = flags;
  if (objective.model().conditional() && flags.label < 0 && flags.columns == 0)
    shown.columns = objective.model().shape().classes;  // a class per column
  return finish_samples(
      run, shown, sample_images(objective, flags.count, flags.seed, flags.draws, labels), labels);
}

int reconstruct(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const data::Images images = test_images(run, settings, flags);
  const auto indices = chosen_indices(images.size(), flags.count, flags.seed);
  const std::int64_t columns =
      std::min<std::int64_t>(flags.columns > 0 ? flags.columns : 12, std::ssize(indices));
  return finish_picture(run, flags, "reconstructions.png",
                        reconstructed_images(objective, images, indices, columns),
                        {.columns = columns});
}

int interpolate(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const data::Images images = test_images(run, settings, flags);
  auto indices = chosen_indices(images.size(), 2 * flags.count, flags.seed);
  indices.resize(indices.size() / 2 * 2);
  if (indices.empty()) throw DataError("an interpolation needs at least 2 test images");
  return finish_picture(
      run, flags, "interpolation.png",
      interpolated_images(objective, images, indices, flags.steps, flags.path == "spherical"),
      {.columns = flags.steps + 2});
}

int eval(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  Console console(flags.compute.quiet);
  const VaeObjective objective = trained_objective(run, settings);
  std::vector<Figure> figures = evaluate(objective, test_images(run, settings, flags),
                                         settings.binarize == "dynamic", flags.iwae, console);
  if (objective.model().conditional())
    figures.push_back(
        class_agreement(objective, open_classifier(open_images(settings.train), console)));
  return finish_eval(run, flags, std::move(figures), element_count(objective.parameters()));
}

// log p(x) of each image, bounded from below: images unlike those of the training are unlikely.
int score(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  Console console(flags.compute.quiet);
  const VaeObjective objective = trained_objective(run, settings);
  const data::Images images = test_images(run, settings, flags);
  const bool binarize = settings.binarize == "dynamic";
  if (flags.iwae > 0)
    return finish_scores(run, flags, "iwae",
                         iwae_bounds(objective, images, binarize, flags.iwae, console));
  std::vector<double> scores = negative_elbo_parts(objective, images, binarize).negative_elbo();
  for (double& value : scores) value = -value;
  return finish_scores(run, flags, "elbo", scores);
}

int info(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const VaeShape& shape = objective.model().shape();
  return finish_info(run, flags,
                     {{"image", run.checkpoint.metadata.at("image")},
                      {"latent", std::to_string(shape.latent)},
                      {"hidden", std::to_string(shape.hidden)}},
                     element_count(objective.parameters()));
}

int run(int argc, char** argv) {
  Program program("genera-vae",
                  "Variational autoencoders: trains them, samples from them, measures them");
  VaeSettings settings;
  add_flags(
      program.add_train(settings.train, [&] { return std::make_unique<VaeExperiment>(settings); }),
      settings);
  VaeReadFlags sampled, rebuilt, between, measured, scored, shown;
  rebuilt.count = 48;
  between.count = 8;
  add_sample_flags(
      add_reader(program, "sample", "Draws images from the model", sampled, settings, sample),
      sampled)
      .flag("draws", sampled.draws, "Draw each pixel from p(x|z) instead of showing its mean",
            Kept::in_config)
      .option("label", sampled.label, "cvae: the label of all samples; -1: each in turn",
              Range{-1, 1e9});
  Verb& rebuild = add_reader(program, "reconstruct", "Shows test images and their reconstructions",
                             rebuilt, settings, reconstruct);
  add_out_flag(rebuild, rebuilt, "PNG file to write; default RUN/reconstructions.png");
  add_data_flag(add_seed_flag(rebuild, rebuilt), rebuilt)
      .option("count", rebuilt.count, "Test images", Range{1, 1e5})
      .option("columns", rebuilt.columns, "Images in a row; 0: 12", Range{0, 1e4});
  Verb& walk = add_reader(program, "interpolate", "Walks between pairs of test images", between,
                          settings, interpolate);
  add_out_flag(walk, between, "PNG file to write; default RUN/interpolation.png");
  add_data_flag(add_seed_flag(walk, between), between)
      .option("count", between.count, "Pairs of test images, one row each", Range{1, 1e4})
      .option("steps", between.steps, "Decoded points of a row", Range{1, 1e3})
      .choice("path", between.path, {"spherical", "linear"}, "The way through the latent space");
  Verb& measure =
      add_reader(program, "eval", "Measures the bounds on the test set", measured, settings, eval);
  add_data_flag(add_record_flag(measure, measured), measured)
      .option("iwae", measured.iwae, "Draws of the importance-weighted bound; 0: none",
              Range{0, 1e6});
  Verb& rate =
      add_reader(program, "score",
                 "Writes a lower bound on the log-likelihood of each test image, in nats (higher: "
                 "more normal)",
                 scored, settings, score);
  add_scores_flag(add_data_flag(rate, scored), scored)
      .option("iwae", scored.iwae, "Draws of the importance-weighted bound; 0: the ELBO",
              Range{0, 1e6});
  add_reader(program, "info", "Says what a run or a checkpoint holds", shown, settings, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo::vae

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-vae", [&] { return genera::zoo::vae::run(argc, argv); });
}
