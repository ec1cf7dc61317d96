// genera-vae: variational autoencoders. The verbs are thin: what they do is in the files named like
// it.

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "zoo/common/image_data.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/saved_states.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/experiment.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo {
namespace {

struct VaeReadFlags : ReadFlags {
  std::string path = "spherical";
  std::int64_t steps = 10;
  std::int64_t iwae = 0;
  bool draws = false;
};

VaeObjective trained_objective(const TrainedRun& run, const VaeSettings& settings) {
  const auto extents = run.extents("image", 3);
  VaeObjective objective =
      run.built([&] { return make_objective(settings, extents[0], extents[1], extents[2]); });
  run.restore(objective.parameters());
  return objective;
}

data::Images test_images(const TrainedRun& run, const VaeSettings& settings,
                         const ReadFlags& flags) {
  return open_test_images(settings.train, flags.data, run.extents("image", 3));
}

int sample(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  return finish_samples(run, flags, sample_images(objective, flags.count, flags.seed, flags.draws));
}

int reconstruct(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const data::Images images = test_images(run, settings, flags);
  const auto indices = chosen_images(images, flags.count, flags.seed);
  const std::int64_t columns =
      std::min<std::int64_t>(flags.columns > 0 ? flags.columns : 12, std::ssize(indices));
  return finish_picture(run, flags, "reconstructions.png",
                        reconstructed_images(objective, images, indices, columns),
                        {.columns = columns});
}

int interpolate(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const data::Images images = test_images(run, settings, flags);
  auto indices = chosen_images(images, 2 * flags.count, flags.seed);
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
  return finish_eval(run, flags,
                     evaluate(objective, test_images(run, settings, flags),
                              settings.binarize == "dynamic", flags.iwae, console),
                     element_count(objective.parameters()));
}

int info(const TrainedRun& run, const VaeSettings& settings, const VaeReadFlags& flags) {
  const VaeObjective objective = trained_objective(run, settings);
  const VaeShape& shape = objective.vae().shape();
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
  VaeReadFlags sampled, rebuilt, between, measured, shown;
  rebuilt.count = 48;
  between.count = 8;
  using Body = int (*)(const TrainedRun&, const VaeSettings&, const VaeReadFlags&);
  const auto reader = [&](const char* name, const char* help, VaeReadFlags& flags,
                          Body body) -> Verb& {
    return program.add_reader(
        name, help, flags.run, flags.compute,
        [&, body](const TrainedRun& run) { return body(run, settings, flags); });
  };
  add_sample_flags(reader("sample", "Draws images from the model", sampled, sample), sampled)
      .flag("draws", sampled.draws, "Draw each pixel from p(x|z) instead of showing its mean",
            Kept::in_config);
  Verb& rebuild =
      reader("reconstruct", "Shows test images and their reconstructions", rebuilt, reconstruct);
  add_out_flag(rebuild, rebuilt, "PNG file to write; default RUN/reconstructions.png");
  add_data_flag(add_seed_flag(rebuild, rebuilt), rebuilt)
      .option("count", rebuilt.count, "Test images", Range{1, 1e5})
      .option("columns", rebuilt.columns, "Images in a row; 0: 12", Range{0, 1e4});
  Verb& walk = reader("interpolate", "Walks between pairs of test images", between, interpolate);
  add_out_flag(walk, between, "PNG file to write; default RUN/interpolation.png");
  add_data_flag(add_seed_flag(walk, between), between)
      .option("count", between.count, "Pairs of test images, one row each", Range{1, 1e4})
      .option("steps", between.steps, "Decoded points of a row", Range{1, 1e3})
      .choice("path", between.path, {"spherical", "linear"}, "The way through the latent space");
  Verb& measure = reader("eval", "Measures the bounds on the test set", measured, eval);
  add_data_flag(add_record_flag(measure, measured), measured)
      .option("iwae", measured.iwae, "Draws of the importance-weighted bound; 0: none",
              Range{0, 1e6});
  reader("info", "Says what a run or a checkpoint holds", shown, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-vae", [&] { return genera::zoo::run(argc, argv); });
}
