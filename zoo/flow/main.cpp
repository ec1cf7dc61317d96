// genera-flow: normalising flows. The verbs are thin: what they do is in the files named like it.

#include <fmt/core.h>

#include <filesystem>
#include <vector>

#include "zoo/common/image_data.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/saved_states.h"
#include "zoo/flow/evaluation.h"
#include "zoo/flow/experiment.h"
#include "zoo/flow/pictures.h"
#include "zoo/flow/table.h"

namespace genera::zoo::flow {
namespace {

struct FlowReadFlags : ReadFlags {
  double temperature = 1;
  std::int64_t steps = 10;
  std::int64_t draws = 1;
};

// A trained flow and the examples of its run, or of --data.
struct Trained {
  std::unique_ptr<Examples> examples;
  std::shared_ptr<const FlowModel> model;
};

std::shared_ptr<const FlowModel> trained_model(const TrainedRun& run,
                                               const FlowSettings& settings) {
  const bool image = run.checkpoint.metadata.contains("image");
  const auto extents = run.extents(image ? "image" : "vector", image ? 3 : 1);
  auto model = run.built([&] { return make_flow(settings, Shape(extents)); });
  run.restore(model->states());
  return model;
}

Trained trained(const TrainedRun& run, FlowSettings settings, const FlowReadFlags& flags) {
  if (!flags.data.empty()) {
    settings.train.data = flags.data;
    settings.train.smoke = false;
  }
  Trained result{open_examples(settings), trained_model(run, settings)};
  if (result.examples->shape() != result.model->shape().example)
    throw DataError(fmt::format("the examples of {} are {}, the model was trained on {}",
                                settings.train.data, to_string(result.examples->shape()),
                                to_string(result.model->shape().example)));
  return result;
}

std::filesystem::path path_of(const TrainedRun& run, const ReadFlags& flags,
                              const std::string& file) {
  return flags.out.empty() ? run.folder.path() / file : std::filesystem::path(flags.out);
}

int write_rows(const TrainedRun& run, const ReadFlags& flags, const std::string& file,
               const std::vector<std::string>& names, std::span<const float> rows) {
  const std::filesystem::path path = path_of(run, flags, file);
  if (path.extension() != ".csv")
    throw UsageError(
        fmt::format("--out {}: rows of numbers are written as NAME.csv", path.string()));
  write_text(path, csv_text(names, {rows.begin(), rows.end()}));
  return finish_file(flags, path);
}

int sample(const TrainedRun& run, const FlowSettings& settings, const FlowReadFlags& flags) {
  const auto [examples, model] = trained(run, settings, flags);
  const std::string extension = std::filesystem::path(flags.out).extension();
  if (model->is_image() || extension == ".npy")
    return finish_samples(run, flags,
                          sample_examples(*model, flags.count, flags.seed, flags.temperature));
  if (!flags.out.empty() && extension != ".png") {
    const io::HostArray rows = sample_examples(*model, flags.count, flags.seed, flags.temperature);
    return write_rows(run, flags, "samples.csv", examples->names(), rows.as<float>());
  }
  if (const Density2d* density = examples->density(); density && flags.temperature == 1)
    return finish_picture(run, flags, "samples.png", density_pictures(*model, *density, flags.seed),
                          {.columns = 3});
  return finish_picture(run, flags, "samples.png",
                        pair_pictures(*model, *examples, flags.seed, flags.temperature),
                        {.columns = pair_columns(*model), .scale = 4});
}

// Pairs of different test examples that the seed chooses.
std::vector<std::int64_t> chosen_pairs(const Examples& examples, const FlowReadFlags& flags) {
  auto indices = chosen_indices(examples.size(data::Split::test), 2 * flags.count, flags.seed);
  indices.resize(indices.size() / 2 * 2);
  if (indices.empty()) throw DataError("an interpolation needs at least 2 test examples");
  return indices;
}

int interpolate(const TrainedRun& run, const FlowSettings& settings, const FlowReadFlags& flags) {
  const auto [examples, model] = trained(run, settings, flags);
  const io::HostArray path =
      interpolated_examples(*model, *examples, chosen_pairs(*examples, flags), flags.steps);
  if (model->is_image())
    return finish_picture(run, flags, "interpolation.png", path, {.columns = flags.steps});
  return write_rows(run, flags, "interpolation.csv", examples->names(), path.as<float>());
}

int eval(const TrainedRun& run, const FlowSettings& settings, const FlowReadFlags& flags) {
  Console console(flags.compute.quiet);
  const auto [examples, model] = trained(run, settings, flags);
  return finish_eval(run, flags, evaluate(*model, *examples, flags.draws, console),
                     element_count(model->parameters()));
}

// Of a table every row is scored, in its order, however the run split it.
int score(const TrainedRun& run, const FlowSettings& settings, const FlowReadFlags& flags) {
  Console console(flags.compute.quiet);
  const std::string& data = flags.data.empty() ? settings.train.data : flags.data;
  Trained opened;
  ExampleList list;
  if (is_csv(data)) {
    opened.model = trained_model(run, settings);
    if (opened.model->is_image())
      throw DataError(fmt::format("{} is a table, the model was trained on images", data));
    list = rows_of(data, opened.model->size());
  } else {
    opened = trained(run, settings, flags);
    list = split_of(*opened.examples, data::Split::test);
  }
  return finish_scores(run, flags, "log_likelihood",
                       log_likelihoods(*opened.model, list, flags.draws, console));
}

int info(const TrainedRun& run, const FlowSettings& settings, const FlowReadFlags& flags) {
  const auto model = trained_model(run, settings);
  const FlowShape& shape = model->shape();
  const std::string kind = model->is_image() ? "image" : "vector";
  return finish_info(run, flags,
                     {{kind, run.checkpoint.metadata.at(kind)},
                      {"layers", std::to_string(shape.layers)},
                      {"hidden", std::to_string(shape.hidden)}},
                     element_count(model->parameters()));
}

int run(int argc, char** argv) {
  Program program("genera-flow",
                  "Normalising flows: trains them, samples from them, measures exact likelihoods");
  FlowSettings settings;
  Verb* train = nullptr;
  train = &program.add_train(settings.train, [&] {
    choose_batch(*train, settings);
    return std::make_unique<FlowExperiment>(settings);
  });
  add_flags(*train, settings);
  FlowReadFlags sampled, between, measured, scored, shown;
  between.count = 8;
  using Body = int (*)(const TrainedRun&, const FlowSettings&, const FlowReadFlags&);
  const auto reader = [&](const char* name, const char* help, FlowReadFlags& flags,
                          Body body) -> Verb& {
    return program.add_reader(
        name, help, flags.run, flags.compute,
        [&, body](const TrainedRun& run) { return body(run, settings, flags); });
  };
  add_sample_flags(reader("sample", "Draws examples from the model", sampled, sample), sampled,
                   "Examples", "PNGs; of vectors NAME.csv, rows")
      .option("temperature", sampled.temperature, "Deviation of z; below 1: likelier examples",
              Range{0, 100});
  Verb& walk = reader("interpolate", "Walks between pairs of test examples in latent space",
                      between, interpolate);
  add_out_flag(walk, between, "File to write; default RUN/interpolation.png, of vectors .csv");
  add_data_flag(add_seed_flag(walk, between), between)
      .option("count", between.count, "Pairs of test examples, one row each", Range{1, 1e4})
      .option("steps", between.steps, "Examples of a row, both ends included", Range{1, 1e3});
  const auto add_draws = [](Verb& verb, FlowReadFlags& flags) {
    verb.option("draws", flags.draws, "Images: draws of the dequantisation noise", Range{1, 1e4});
  };
  Verb& measure = reader("eval", "Measures the likelihood of the test set", measured, eval);
  add_draws(add_data_flag(add_record_flag(measure, measured), measured), measured);
  Verb& scorer =
      reader("score",
             "Writes the log-likelihood of each test example, or of each row of a table, in nats "
             "(higher: more normal)",
             scored, score);
  add_draws(add_scores_flag(add_data_flag(scorer, scored), scored), scored);
  reader("info", "Says what a run or a checkpoint holds", shown, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo::flow

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-flow",
                                  [&] { return genera::zoo::flow::run(argc, argv); });
}
