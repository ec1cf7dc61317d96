// genera-gan: generative adversarial networks. The verbs are thin: what they do is in the files
// named like it.

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <sstream>

#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/saved_states.h"
#include "zoo/gan/experiment.h"
#include "zoo/gan/table.h"

namespace genera::zoo::gan {
namespace {

struct GanReadFlags : ReadFlags {
  std::int64_t label = -1;
  std::int64_t steps = 10;
  std::string compare;
  std::string noise;
};

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

bool of_points(const TrainedRun& run) { return run.checkpoint.metadata.contains("points"); }

Gan trained_gan(const TrainedRun& run, const GanSettings& settings) {
  const bool points = of_points(run);
  const auto extents = points ? run.extents("points", 1) : run.extents("image", 3);
  // Only a conditional model knows how many classes there are.
  const std::int64_t classes = settings.conditional ? run.extents("classes", 1)[0] : 0;
  Gan gan = run.built([&] { return make_gan(settings, Shape(extents), classes); });
  run.restore(nn::states(gan.generator, gan.discriminator));
  return gan;
}

SampleOptions sample_options(const Generator& generator, const GanReadFlags& flags) {
  const std::int64_t classes = generator.shape().classes;
  if (flags.label >= 0 && classes == 0)
    throw UsageError("--label: the model was trained without --conditional");
  if (flags.label >= 0 && flags.label >= classes)
    throw UsageError(fmt::format("--label {}: the classes are 0 to {}", flags.label, classes - 1));
  return {flags.count, flags.seed, static_cast<std::int32_t>(flags.label)};
}

// The points of the latent space (N,Z) that a file holds.
Tensor noise_in(const std::string& file, const Generator& generator) {
  const io::HostArray array = io::read_npy(file);
  const std::int64_t latent = generator.shape().latent;
  if (array.dtype != DType::f32 || array.shape.rank() != 2 || array.shape[0] < 1 ||
      array.shape[1] != latent)
    throw DataError(fmt::format("{}: {} {} is no noise for this model: f32 (N,{})", file,
                                name(array.dtype), to_string(array.shape), latent));
  return Tensor::from(array.as<float>(), array.shape);
}

int sample(const TrainedRun& run, const GanSettings& settings, const GanReadFlags& flags) {
  const Gan gan = trained_gan(run, settings);
  const SampleOptions options = sample_options(gan.generator, flags);
  const Samples samples =
      flags.noise.empty()
          ? draw_samples(gan.generator, options)
          : samples_of(gan.generator, noise_in(flags.noise, gan.generator), options);
  if (samples.values.shape.rank() == 4 || std::filesystem::path(flags.out).extension() == ".npy")
    return finish_samples(run, flags, samples.values, samples.labels);
  const std::filesystem::path path =
      flags.out.empty() ? run.folder.path() / "samples.png" : std::filesystem::path(flags.out);
  if (path.extension() != ".png")
    throw UsageError(
        fmt::format("--out {}: points are written as NAME.png or NAME.npy", flags.out));
  write_samples_picture(path, samples, flags.columns, run.recipe);
  return finish_file(flags, path);
}

int interpolate(const TrainedRun& run, const GanSettings& settings, const GanReadFlags& flags) {
  const Gan gan = trained_gan(run, settings);
  if (of_points(run)) throw UsageError("interpolate shows images; this model makes points");
  const Samples samples = interpolated_samples(gan.generator, flags.count, flags.steps,
                                               sample_options(gan.generator, flags));
  return finish_picture(run, flags, "interpolation.png", samples.values, {.columns = flags.steps});
}

int eval(const TrainedRun& run, const GanSettings& settings, const GanReadFlags& flags) {
  Console console(flags.compute.quiet);
  const Gan gan = trained_gan(run, settings);
  GanSettings measured = settings;
  if (!flags.data.empty()) {
    measured.train.data = flags.data;
    measured.train.smoke = false;
  }
  const auto examples = open_examples(measured);
  const auto others = split_list(flags.compare);
  examples->prepare(console);
  const auto begin = std::chrono::steady_clock::now();
  std::vector<Figure> figures = examples->evaluate(
      [&](std::int64_t count, std::uint64_t seed) {
        return draw_samples(gan.generator, {.count = count, .seed = seed});
      },
      console);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double left = took.count() * static_cast<double>(others.size() + 2);
  if (left > 5) console.note(fmt::format("the references take about {}", duration_text(left)));
  std::vector<Reference> rows = {{settings.model, figures}};
  for (Reference& reference : examples->references(others, console)) {
    for (Figure figure : reference.second) {
      figure.name = reference.first + "." + figure.name;
      figures.push_back(std::move(figure));
    }
    rows.push_back(std::move(reference));
  }
  if (!flags.compute.json) fmt::print("{}\n", table_text(rows));
  return finish_eval(run, flags, std::move(figures),
                     element_count(nn::parameters(gan.generator, gan.discriminator)));
}

int info(const TrainedRun& run, const GanSettings& settings, const GanReadFlags& flags) {
  const Gan gan = trained_gan(run, settings);
  const GanShape& shape = gan.generator.shape();
  const char* kind = of_points(run) ? "points" : "image";
  return finish_info(run, flags,
                     {{kind, run.checkpoint.metadata.at(kind)},
                      {"classes", std::to_string(shape.classes)},
                      {"latent", std::to_string(shape.latent)},
                      {"width", std::to_string(shape.width)}},
                     element_count(nn::parameters(gan.generator, gan.discriminator)));
}

int run(int argc, char** argv) {
  Program program("genera-gan",
                  "Generative adversarial networks: trains them, samples from them, measures them");
  GanSettings settings;
  const auto make = [&] {
    auto experiment = std::make_unique<GanExperiment>(settings);
    experiment->prepare();
    return experiment;
  };
  add_flags(program.add_train(settings.train, make), settings);
  GanReadFlags sampled, between, measured, shown;
  between.count = 8;
  using Body = int (*)(const TrainedRun&, const GanSettings&, const GanReadFlags&);
  const auto reader = [&](const char* name, const char* help, GanReadFlags& flags,
                          Body body) -> Verb& {
    return program.add_reader(
        name, help, flags.run, flags.compute,
        [&, body](const TrainedRun& run) { return body(run, settings, flags); });
  };
  const char* class_help = "Of a conditional model: the class of all samples; -1: each in turn";
  add_sample_flags(reader("sample", "Draws samples from the generator", sampled, sample), sampled,
                   "Samples")
      .option("label", sampled.label, class_help, Range{-1, 1e9})
      .option("noise", sampled.noise,
              "Points of the latent space in place of --count and --seed: an .npy file, f32 (N,Z)");
  Verb& walk =
      reader("interpolate", "Walks between points of the latent space", between, interpolate);
  add_out_flag(walk, between, "PNG file to write; default RUN/interpolation.png");
  add_seed_flag(walk, between)
      .option("count", between.count, "Walks, one row each", Range{1, 1e4})
      .option("steps", between.steps, "Samples of a walk", Range{1, 1e3})
      .option("label", between.label, class_help, Range{-1, 1e9});
  Verb& measure =
      reader("eval", "Measures samples against the test set, beside references", measured, eval);
  add_data_flag(add_record_flag(measure, measured), measured)
      .option(
          "compare", measured.compare,
          "Samples of others to measure too: .npy files or folders of PNGs, with commas between",
          Kept::nowhere);
  reader("info", "Says what a run or a checkpoint holds", shown, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo::gan

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-gan", [&] { return genera::zoo::gan::run(argc, argv); });
}
