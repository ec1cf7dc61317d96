// genera-boltzmann: Boltzmann machines. The verbs are thin: what they do is in the files named like
// it.

#include <algorithm>
#include <vector>

#include "zoo/boltzmann/evaluation.h"
#include "zoo/boltzmann/experiment.h"
#include "zoo/boltzmann/pictures.h"
#include "zoo/common/image_data.h"
#include "zoo/common/program.h"
#include "zoo/common/read_verbs.h"
#include "zoo/common/saved_states.h"

namespace genera::zoo::boltzmann {
namespace {

struct BoltzmannReadFlags : ReadFlags {
  std::string hide = "bottom";
  std::int64_t annealing = 1000;
  std::int64_t sweeps = 100;
  std::int64_t betas = 14500;
  std::int64_t runs = 100;
};

Model trained_model(const TrainedRun& run, const BoltzmannSettings& settings) {
  const auto extents = run.extents("image", 3);
  Model model = run.built([&] { return make_model(settings, extents[0], extents[1], extents[2]); });
  run.restore(nn::states(model));
  return model;
}

data::Images test_images(const TrainedRun& run, const BoltzmannSettings& settings,
                         const ReadFlags& flags) {
  return open_test_images(settings.train, flags.data, run.extents("image", 3));
}

SampleOptions sample_options(const BoltzmannReadFlags& flags) {
  return {flags.count, flags.seed, flags.annealing, flags.sweeps};
}

int sample(const TrainedRun& run, const BoltzmannSettings& settings,
           const BoltzmannReadFlags& flags) {
  return finish_samples(run, flags,
                        sample_images(trained_model(run, settings), sample_options(flags)));
}

int chains(const TrainedRun& run, const BoltzmannSettings& settings,
           const BoltzmannReadFlags& flags) {
  const std::int64_t columns = flags.columns > 0 ? flags.columns : 12;
  return finish_picture(run, flags, "chains.png",
                        chain_images(trained_model(run, settings), sample_options(flags), columns),
                        {.columns = columns});
}

int filters(const TrainedRun& run, const BoltzmannSettings& settings,
            const BoltzmannReadFlags& flags) {
  return finish_picture(run, flags, "filters.png",
                        filter_images(trained_model(run, settings), flags.count),
                        {.columns = flags.columns});
}

int complete(const TrainedRun& run, const BoltzmannSettings& settings,
             const BoltzmannReadFlags& flags) {
  const Model model = trained_model(run, settings);
  const data::Images images = test_images(run, settings, flags);
  const auto indices = chosen_indices(images.size(), flags.count, flags.seed);
  const std::int64_t columns =
      std::min<std::int64_t>(flags.columns > 0 ? flags.columns : 12, std::ssize(indices));
  const Tensor known = known_pixels(model.shape(), flags.hide, Key(flags.seed).fold_in(4));
  return finish_picture(run, flags, "completions.png",
                        completed_images(model, images.batch(indices).images, known, columns,
                                         flags.sweeps, flags.seed),
                        {.columns = columns});
}

int score(const TrainedRun& run, const BoltzmannSettings& settings,
          const BoltzmannReadFlags& flags) {
  Console console(flags.compute.quiet);
  const Model model = trained_model(run, settings);
  return finish_scores(run, flags, figure_name(model),
                       log_likelihoods(model, test_images(run, settings, flags),
                                       {.betas = flags.betas, .runs = flags.runs}, console));
}

int eval(const TrainedRun& run, const BoltzmannSettings& settings,
         const BoltzmannReadFlags& flags) {
  Console console(flags.compute.quiet);
  const Model model = trained_model(run, settings);
  return finish_eval(run, flags,
                     evaluate(model, test_images(run, settings, flags),
                              {.betas = flags.betas, .runs = flags.runs}, console),
                     element_count(nn::parameters(model)));
}

int info(const TrainedRun& run, const BoltzmannSettings& settings,
         const BoltzmannReadFlags& flags) {
  const Model model = trained_model(run, settings);
  std::string layers = std::to_string(model.shape().visible_size());
  for (const State& state : nn::parameters(model))
    if (state.name().find("weight_") != std::string::npos)
      layers += "," + std::to_string(state.shape()[1]);
  return finish_info(run, flags,
                     {{"image", run.checkpoint.metadata.at("image")}, {"layers", layers}},
                     element_count(nn::parameters(model)));
}

Verb& add_ais_flags(Verb& verb, BoltzmannReadFlags& flags) {
  return verb.option("betas", flags.betas, "Steps of annealed importance sampling", Range{10, 1e7})
      .option("runs", flags.runs, "Runs of annealed importance sampling", Range{2, 1e5});
}

Verb& add_walk_flags(Verb& verb, BoltzmannReadFlags& flags, const std::string& sweeps) {
  return verb
      .option("annealing", flags.annealing, "Sweeps from the base-rate model to the machine",
              Range{1, 1e6})
      .option("sweeps", flags.sweeps, sweeps, Range{1, 1e6});
}

int run(int argc, char** argv) {
  Program program("genera-boltzmann",
                  "Boltzmann machines: trains them, samples from them, measures them");
  BoltzmannSettings settings;
  add_flags(program.add_train(settings.train,
                              [&] { return std::make_unique<BoltzmannExperiment>(settings); }),
            settings);
  BoltzmannReadFlags sampled, walked, seen, completed, scored, measured, shown;
  walked.count = 8;
  walked.sweeps = 20;
  seen.count = 100;
  completed.count = 24;
  completed.sweeps = 400;
  scored.betas = 1000;
  add_walk_flags(add_sample_flags(add_reader(program, "sample", "Draws images from the model",
                                             sampled, settings, sample),
                                  sampled),
                 sampled, "Sweeps of the machine after that");
  Verb& walk = add_reader(program, "chains", "Shows Gibbs chains: each row one chain", walked,
                          settings, chains);
  add_out_flag(walk, walked, "PNG file to write; default RUN/chains.png");
  add_walk_flags(add_seed_flag(walk, walked), walked, "Sweeps from one image to the next")
      .option("count", walked.count, "Chains", Range{1, 1e4})
      .option("columns", walked.columns, "Images of a chain; 0: 12", Range{0, 1e4});
  Verb& see = add_reader(program, "filters", "Shows the weights of the first hidden units", seen,
                         settings, filters);
  add_out_flag(see, seen, "PNG file to write; default RUN/filters.png")
      .option("count", seen.count, "Units", Range{1, 1e5})
      .option("columns", seen.columns, "Filters in a row; 0: as many as rows", Range{0, 1e4});
  Verb& fill = add_reader(program, "complete",
                          "Shows test images of which a part is hidden, and what the model "
                          "puts there",
                          completed, settings, complete);
  add_out_flag(fill, completed, "PNG file to write; default RUN/completions.png");
  add_data_flag(add_seed_flag(fill, completed), completed)
      .choice("hide", completed.hide, {"bottom", "top", "left", "right", "centre", "random"},
              "Which half of the pixels; centre: a quarter")
      .option("sweeps", completed.sweeps, "Gibbs sweeps with the known pixels clamped",
              Range{1, 1e6})
      .option("count", completed.count, "Test images", Range{1, 1e5})
      .option("columns", completed.columns, "Images in a row; 0: 12", Range{0, 1e4});
  Verb& rate =
      add_reader(program, "score",
                 "Writes the log-likelihood of each test image, in nats (higher: more normal)",
                 scored, settings, score);
  add_ais_flags(add_scores_flag(add_data_flag(rate, scored), scored), scored);
  Verb& measure = add_reader(program, "eval", "Measures the likelihood of the test set", measured,
                             settings, eval);
  add_ais_flags(add_data_flag(add_record_flag(measure, measured), measured), measured);
  add_reader(program, "info", "Says what a run or a checkpoint holds", shown, settings, info);
  return program.run(argc, argv);
}

}  // namespace
}  // namespace genera::zoo::boltzmann

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-boltzmann",
                                  [&] { return genera::zoo::boltzmann::run(argc, argv); });
}
