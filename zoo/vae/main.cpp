// genera-vae: variational autoencoders. The verbs are thin: what they do is in the files named like
// it.

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "zoo/common/dataset.h"
#include "zoo/common/failure.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/saved_states.h"
#include "zoo/common/shell.h"
#include "zoo/common/train_verb.h"
#include "zoo/common/version.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/experiment.h"
#include "zoo/vae/pictures.h"
#include "zoo/vae/trained.h"

namespace genera::zoo {
namespace {

constexpr const char* program = "genera-vae";

// Flags of the verbs that read a trained model.
struct ReadFlags {
  ComputeFlags compute;
  std::string run;
  std::string data;
  std::string out;
  std::string record;
  std::string path = "spherical";
  std::int64_t count = 64;
  std::int64_t columns = 0;
  std::int64_t steps = 10;
  std::int64_t iwae = 0;
  std::uint64_t seed = 0;
  bool draws = false;
};

void add_run(Verb& verb, ReadFlags& flags) {
  verb.argument("RUN", flags.run, "a run folder, or one of its checkpoints");
  add_compute_flags(verb, flags.compute);
}

void add_picture_flags(Verb& verb, ReadFlags& flags, const std::string& file) {
  flags.out.clear();
  verb.option("out", flags.out, "PNG file to write; default RUN/" + file, Kept::nowhere)
      .option("seed", flags.seed, "Seed of the noise, or of the choice of images",
              Range{0, 1.8e19});
}

data::Images test_images(const TrainedVae& trained, const ReadFlags& flags) {
  VaeSettings settings = trained.settings;
  if (!flags.data.empty()) {
    settings.train.data = flags.data;
    settings.train.smoke = false;
  }
  data::Images images = open_data(settings).test();
  const VaeShape& shape = trained.objective.vae().shape();
  if (images.channels() != shape.channels || images.height() != shape.height ||
      images.width() != shape.width)
    throw DataError(
        fmt::format("the images of {} are ({},{},{}), the model was trained on ({},{},{})",
                    settings.train.data, images.channels(), images.height(), images.width(),
                    shape.channels, shape.height, shape.width));
  return images;
}

// Different test images that the seed chooses.
std::vector<std::int64_t> chosen_images(const data::Images& images, std::int64_t count,
                                        std::uint64_t seed) {
  count = std::min(count, images.size());
  const auto order =
      random_permutation(Key(seed).fold_in(2), images.size()).to_vector<std::int32_t>();
  return {order.begin(), order.begin() + count};
}

// Writes the picture and says where: the one result of such a verb.
int finish_picture(const TrainedVae& trained, const ReadFlags& flags, const std::string& file,
                   const io::HostArray& images, const std::string& recipe, GridOptions options) {
  const std::filesystem::path path =
      flags.out.empty() ? trained.folder.path() / file : std::filesystem::path(flags.out);
  write_grid(path, images, recipe, options);
  if (flags.compute.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"file", path.string()}}.dump());
  else
    fmt::print("{}\n", path.string());
  return exit_done;
}

// A number that a checkpoint says, which may say anything.
nlohmann::ordered_json number_in(const io::Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return nullptr;
  auto number = nlohmann::ordered_json::parse(found->second, nullptr, false);
  return number.is_number() ? number : nlohmann::ordered_json(found->second);
}

// Commands that make the run and then the picture; `verb_flags` is "--count 64 --seed 0".
std::string recipe_of(const TrainedVae& trained, const std::string& verb,
                      const std::string& verb_flags, const ReadFlags& flags) {
  const bool run = std::filesystem::is_directory(flags.run);
  const std::string weights =
      run ? "RUN" : "RUN/checkpoints/" + trained.folder.checkpoint_to_read().filename().string();
  const std::string data =
      flags.data.empty() ? "" : " --data " + shell_word(plain_name(flags.data));
  return fmt::format("{} && {} {} {} {}{}  # weights of step {}; version {}, commit {}",
                     trained.command, program, verb, shell_word(weights), verb_flags, data,
                     number_in(trained.metadata, "step").dump(), program_version(),
                     source_commit());
}

int sample(const TrainedVae& trained, const ReadFlags& flags) {
  const auto images = sample_images(trained.objective, flags.count, flags.seed, flags.draws);
  std::string recipe =
      fmt::format("--count {} --seed {}{}", flags.count, flags.seed, flags.draws ? " --draws" : "");
  if (flags.columns > 0) recipe += fmt::format(" --columns {}", flags.columns);
  return finish_picture(trained, flags, "samples.png", images,
                        recipe_of(trained, "sample", recipe, flags), {.columns = flags.columns});
}

int reconstruct(const TrainedVae& trained, const ReadFlags& flags) {
  const data::Images images = test_images(trained, flags);
  const auto indices = chosen_images(images, flags.count, flags.seed);
  const std::int64_t columns =
      std::min<std::int64_t>(flags.columns > 0 ? flags.columns : 12, std::ssize(indices));
  const auto pictures = reconstructed_images(trained.objective, images, indices, columns);
  const std::string recipe =
      fmt::format("--count {} --columns {} --seed {}", flags.count, columns, flags.seed);
  return finish_picture(trained, flags, "reconstructions.png", pictures,
                        recipe_of(trained, "reconstruct", recipe, flags), {.columns = columns});
}

int interpolate(const TrainedVae& trained, const ReadFlags& flags) {
  const data::Images images = test_images(trained, flags);
  auto indices = chosen_images(images, 2 * flags.count, flags.seed);
  indices.resize(indices.size() / 2 * 2);
  if (indices.empty()) throw DataError("an interpolation needs at least 2 test images");
  const auto pictures = interpolated_images(trained.objective, images, indices, flags.steps,
                                            flags.path == "spherical");
  const std::string recipe = fmt::format("--count {} --steps {} --path {} --seed {}", flags.count,
                                         flags.steps, flags.path, flags.seed);
  return finish_picture(trained, flags, "interpolation.png", pictures,
                        recipe_of(trained, "interpolate", recipe, flags),
                        {.columns = flags.steps + 2});
}

int eval(const TrainedVae& trained, const ReadFlags& flags) {
  Console console(flags.compute.quiet);
  const data::Images images = test_images(trained, flags);
  Summary summary = read_summary(trained.folder.summary());
  summary.parameters = element_count(trained.objective.parameters());
  summary.figures = evaluate(trained.objective, images, trained.settings.binarize == "dynamic",
                             flags.iwae, console);
  fmt::print("{}", flags.compute.json ? to_json(summary) : to_text(summary));
  if (!flags.record.empty()) write_record(flags.record, trained.folder, summary);
  return exit_done;
}

int info(const TrainedVae& trained, const ReadFlags& flags) {
  const VaeSettings& settings = trained.settings;
  const VaeShape& shape = trained.objective.vae().shape();
  const nlohmann::ordered_json facts = {
      {"program", program},
      {"model", settings.model},
      {"data", settings.train.smoke ? "sprites" : settings.train.data},
      {"image", {shape.channels, shape.height, shape.width}},
      {"latent", shape.latent},
      {"hidden", shape.hidden},
      {"likelihood", settings.likelihood},
      {"beta", settings.beta},
      {"parameters", element_count(trained.objective.parameters())},
      {"step", number_in(trained.metadata, "step")},
      {"validation_loss", number_in(trained.metadata, "best_loss")},
      {"checkpoint", trained.folder.checkpoint_to_read().string()}};
  if (flags.compute.json) {
    fmt::print("{}\n", facts.dump(2));
  } else {
    for (const auto& [key, value] : facts.items())
      fmt::print("{:<16} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return exit_done;
}

int run(int argc, char** argv) {
  CommandLine line(program,
                   "Variational autoencoders: trains them, samples from them, measures them");
  VaeSettings settings;
  Verb& train = line.verb("train", "Trains a model; the run folder holds all that comes of it");
  add_flags(train, settings);
  ReadFlags sampled, rebuilt, between, measured, shown;
  rebuilt.count = 48;
  between.count = 8;
  Verb& sample_verb = line.verb("sample", "Draws a grid of images from the model");
  add_run(sample_verb, sampled);
  add_picture_flags(sample_verb, sampled, "samples.png");
  sample_verb.option("count", sampled.count, "Images", Range{1, 1e5})
      .option("columns", sampled.columns, "Images in a row; 0: as many as rows", Range{0, 1e4})
      .flag("draws", sampled.draws, "Draw each pixel from p(x|z) instead of showing its mean");
  Verb& reconstruct_verb = line.verb("reconstruct", "Shows test images and their reconstructions");
  add_run(reconstruct_verb, rebuilt);
  add_picture_flags(reconstruct_verb, rebuilt, "reconstructions.png");
  reconstruct_verb.option("count", rebuilt.count, "Test images", Range{1, 1e5})
      .option("columns", rebuilt.columns, "Images in a row; 0: 12", Range{0, 1e4})
      .option("data", rebuilt.data, "Another data set than the run's")
      .not_in_environment("data");
  Verb& interpolate_verb = line.verb("interpolate", "Walks between pairs of test images");
  add_run(interpolate_verb, between);
  add_picture_flags(interpolate_verb, between, "interpolation.png");
  interpolate_verb
      .option("count", between.count, "Pairs of test images, one row each", Range{1, 1e4})
      .option("steps", between.steps, "Decoded points of a row", Range{1, 1e3})
      .choice("path", between.path, {"spherical", "linear"}, "The way through the latent space")
      .option("data", between.data, "Another data set than the run's")
      .not_in_environment("data");
  Verb& eval_verb = line.verb("eval", "Measures the bounds on the test set");
  add_run(eval_verb, measured);
  eval_verb
      .option("iwae", measured.iwae, "Draws of the importance-weighted bound; 0: none",
              Range{0, 1e6})
      .option("record", measured.record, "JSON file to write with the figures and their origin",
              Kept::nowhere)
      .option("data", measured.data, "Another data set than the run's")
      .not_in_environment("data");
  Verb& info_verb = line.verb("info", "Says what a run or a checkpoint holds");
  add_run(info_verb, shown);

  const Verb* chosen = line.parse(argc, argv);
  if (chosen == nullptr) return exit_done;
  if (chosen == &train)
    return train_verb(program, train, settings.train,
                      [&] { return std::make_unique<VaeExperiment>(settings); });
  const auto with_model = [&](const ReadFlags& flags,
                              int (*verb)(const TrainedVae&, const ReadFlags&)) {
    apply(flags.compute);
    return verb(open_trained(flags.run, train, settings), flags);
  };
  if (chosen == &sample_verb) return with_model(sampled, sample);
  if (chosen == &reconstruct_verb) return with_model(rebuilt, reconstruct);
  if (chosen == &interpolate_verb) return with_model(between, interpolate);
  if (chosen == &eval_verb) return with_model(measured, eval);
  return with_model(shown, info);
}

}  // namespace
}  // namespace genera::zoo

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-vae", [&] { return genera::zoo::run(argc, argv); });
}
