#include "zoo/boltzmann/evaluation.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

namespace genera::zoo::boltzmann {
namespace {

constexpr std::int64_t images_at_once = 200;
constexpr int mean_field_rounds = 50;  // far more than it takes to settle
// Evaluation noise has nothing to do with the training's seed.
constexpr std::uint64_t evaluation_seed = 0x5eed;

}  // namespace

std::vector<double> bounds(const Model& model, const data::Images& images) {
  std::vector<double> result;
  const Key key(evaluation_seed);
  std::uint64_t chunk = 0;
  for (const data::Batch& batch : images.batches(images_at_once)) {
    const Tensor bound =
        model.bound(model.visible(batch.images), mean_field_rounds, key.fold_in(chunk++));
    const std::vector<double> values = bound.to_vector<double>();
    result.insert(result.end(), values.begin(), values.begin() + batch.count);
  }
  return result;
}

std::string figure_name(const Model& model) {
  const auto* layered = dynamic_cast<const LayeredMachine*>(&model.top());
  const bool exact = model.below().empty() && (layered == nullptr || layered->depth() == 1);
  return exact ? "log_likelihood" : "log_likelihood_bound";
}

Normaliser normaliser(const Machine& machine, const AisOptions& options, Console& console) {
  const double cost = annealing_seconds(machine, options);
  if (cost > 5)
    console.note(fmt::format("annealed importance sampling takes about {}", duration_text(cost)));
  const Normaliser result = {exact_log_z(machine), annealed_log_z(machine, options, console)};
  if (!result.exact && result.annealed.effective_runs < 2)
    console.warn(fmt::format(
        "one of the {} runs carries nearly all the weight: log Z is not to be believed, and the "
        "likelihood too large; a longer ladder (--betas {}) may help",
        options.runs, 10 * options.betas));
  return result;
}

std::vector<double> log_likelihoods(const Model& model, const data::Images& images,
                                    const AisOptions& options, Console& console) {
  const double log_z = normaliser(model.top(), options, console).best();
  std::vector<double> values = bounds(model, images);
  for (double& value : values) value -= log_z;
  return values;
}

std::vector<Figure> evaluate(const Model& model, const data::Images& images,
                             const AisOptions& options, Console& console) {
  const auto [exact, log_z] = normaliser(model.top(), options, console);
  std::vector<double> values = bounds(model, images);
  for (double& value : values) value -= exact.value_or(log_z.value);
  const std::string how =
      exact ? std::string("exact log Z")
            : fmt::format(
                  "log Z by AIS: {} betas, {} runs from the base-rate model, 3 standard "
                  "errors {:.2f} ... {:.2f}",
                  options.betas, options.runs, log_z.low, log_z.high);
  std::vector<Figure> figures;
  figures.push_back(mean_figure(figure_name(model), values, "nats",
                                fmt::format("{} test images, {}", images.size(), how)));
  Figure estimate;
  estimate.name = "log_z";
  estimate.value = log_z.value;
  estimate.standard_error = (log_z.high - log_z.value) / 3;
  estimate.unit = "nats";
  estimate.protocol = fmt::format("AIS: {} betas, {} runs, 3 standard errors {:.2f} ... {:.2f}",
                                  options.betas, options.runs, log_z.low, log_z.high);
  figures.push_back(estimate);
  Figure runs;
  runs.name = "effective_runs";
  runs.value = log_z.effective_runs;
  runs.unit = "runs";
  runs.protocol = fmt::format("(sum w)^2 / sum w^2 of the {} runs' weights", options.runs);
  figures.push_back(runs);
  if (exact) {
    Figure truth;
    truth.name = "log_z_exact";
    truth.value = *exact;
    truth.unit = "nats";
    truth.protocol = "sum over all states of a chain";
    figures.push_back(truth);
  }
  return figures;
}

}  // namespace genera::zoo::boltzmann
