#include "zoo/flow/evaluation.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "zoo/common/log_sum_exp.h"
#include "zoo/flow/table.h"

namespace genera::zoo::flow {
namespace {

// Evaluation noise has nothing to do with the training's seed.
constexpr std::uint64_t evaluation_seed = 0x5eed;
constexpr std::int64_t inverted_examples = 1000;

std::int64_t examples_at_once(const FlowModel& model) { return model.is_image() ? 100 : 2000; }

// The divergence of the model from the density, as the mean of log p(x) - log q(x) over the test
// points: of the same expectation as the difference to the entropy, with less variance.
Figure excess(const std::vector<double>& nats, const Density2d& density, const Examples& examples) {
  const auto count = static_cast<std::int64_t>(nats.size());
  const std::vector<float> points = examples.at(data::Split::test, 0, count).to_vector<float>();
  std::vector<double> differences;
  for (std::size_t i = 0; i < nats.size(); ++i)
    differences.push_back(nats[i] + density.log_density(points[2 * i], points[2 * i + 1]));
  return mean_figure("excess", differences, "nats",
                     fmt::format("mean of log p - log q over {} test examples: the divergence of "
                                 "the model q from the density p",
                                 count));
}

}  // namespace

ExampleList split_of(const Examples& examples, data::Split split, std::int64_t count) {
  return {std::min(count, examples.size(split)),
          [&examples, split](std::int64_t first, std::int64_t n) {
            return examples.at(split, first, n);
          }};
}

ExampleList rows_of(const std::string& csv_file, std::int64_t size) {
  const auto table = std::make_shared<const Table>(read_csv(csv_file));
  const auto columns = static_cast<std::int64_t>(table->columns.size());
  if (columns != size)
    throw DataError(
        fmt::format("{} has {} columns, the model was trained on {}", csv_file, columns, size));
  return {table->rows(), [table, columns](std::int64_t first, std::int64_t n) {
            std::vector<float> values;
            for (std::int64_t row = first; row < first + n; ++row)
              for (const auto& column : table->columns)
                values.push_back(column[static_cast<std::size_t>(row)]);
            return Tensor::from(values, Shape{n, columns});
          }};
}

std::vector<double> log_likelihoods(const FlowModel& model, const ExampleList& examples,
                                    std::int64_t draws, Console& console) {
  if (!model.is_image()) draws = 1;
  const std::int64_t count = examples.count;
  const Key key(evaluation_seed);
  const std::int64_t at_once = examples_at_once(model);
  std::vector<double> result;
  console.start_progress(count, 0, 1, "examples");
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t here = std::min(at_once, count - first);
    const Tensor x = detach(examples.at(first, here));
    std::vector<LogSumExp> sums(static_cast<std::size_t>(here));
    for (std::int64_t draw = 0; draw < draws; ++draw) {
      const Key noise =
          key.fold_in(static_cast<std::uint64_t>(first)).fold_in(static_cast<std::uint64_t>(draw));
      const std::vector<float> values = model.log_likelihood(x, noise).to_vector<float>();
      for (std::size_t i = 0; i < values.size(); ++i) sums[i].add(values[i]);
    }
    for (const LogSumExp& sum : sums)
      result.push_back(sum.value() - std::log(static_cast<double>(draws)));
    console.progress(first + here, "log-likelihood");
  }
  console.end_progress();
  return result;
}

double inverse_error(const FlowModel& model, const Examples& examples, std::int64_t count) {
  const std::int64_t at_once = examples_at_once(model);
  const Key key(evaluation_seed);
  double worst = 0;
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t here = std::min(at_once, count - first);
    const Tensor x = detach(model.continuous(examples.at(data::Split::test, first, here), key));
    const Tensor again = model.from_latent(detach(model.to_latent(x)));
    const double error = max(abs(again - x)).item<double>();
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

std::vector<Figure> evaluate(const FlowModel& model, const Examples& examples, std::int64_t draws,
                             Console& console) {
  const std::int64_t count = examples.size(data::Split::test);
  std::vector<double> nats =
      log_likelihoods(model, split_of(examples, data::Split::test), draws, console);
  for (double& value : nats) value = -value;
  std::vector<Figure> figures;
  std::string protocol = fmt::format("{} test examples", count);
  if (model.is_image()) {
    protocol += fmt::format(", a bound: {} draw{} of {} dequantisation noise each", draws,
                            draws == 1 ? "" : "s",
                            model.shape().variational > 0 ? "variational" : "uniform");
    std::vector<double> bits = nats;
    for (double& value : bits) value /= static_cast<double>(model.size()) * std::numbers::ln2;
    figures.push_back(mean_figure("bits_per_dim", bits, "bits", protocol + ", per real pixel"));
  }
  figures.push_back(mean_figure("nats", nats, "nats", protocol + ", exact"));
  if (model.is_image()) figures.back().protocol = protocol;
  if (const Density2d* density = examples.density()) {
    figures.push_back({"entropy", entropy(*density), 0, "nats", "of the density, by quadrature"});
    figures.push_back(excess(nats, *density, examples));
  }
  const std::int64_t inverted = std::min(count, inverted_examples);
  figures.push_back({"inverse_error", inverse_error(model, examples, inverted), 0, "",
                     fmt::format("largest over {} test examples", inverted)});
  return figures;
}

}  // namespace genera::zoo::flow
