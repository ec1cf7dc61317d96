/// Figures of a flow on examples that it was not trained on.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "zoo/common/console.h"
#include "zoo/common/summary.h"
#include "zoo/flow/examples.h"
#include "zoo/flow/model.h"

namespace genera::zoo::flow {

/// Examples in an order.
struct ExampleList {
  std::int64_t count = 0;
  /// The examples first … first + n - 1: (n,…).
  std::function<Tensor(std::int64_t first, std::int64_t n)> at;
};
/// The first `count` of a split, or all of it.
ExampleList split_of(const Examples& examples, data::Split split,
                     std::int64_t count = std::numeric_limits<std::int64_t>::max());
/// All rows of a CSV file, in its order, for a model of vectors (size). DataError when they have
/// another length.
ExampleList rows_of(const std::string& csv_file, std::int64_t size);

/// log p(x) in nats of each example, in order. For images a lower bound with `draws` draws of the
/// dequantisation noise each: the log of the mean of p((x+u)/256) / q(u|x) (Theis et al., 1511.01844,
/// equation 8, with more draws as in Burda et al., 1509.00519). The noise is fixed: the same numbers
/// at every call with the same weights.
std::vector<double> log_likelihoods(const FlowModel& model, const ExampleList& examples,
                                    std::int64_t draws, Console& console);

/// The largest |x - f^-1(f(x))| over the numbers of the first `count` test examples; of images with
/// their noise, in [0,1].
double inverse_error(const FlowModel& model, const Examples& examples, std::int64_t count);

/// nats, for images bits_per_dim, for known densities entropy and excess (KL(p || q), what the nats
/// exceed the entropy by), and inverse_error; on the test examples.
std::vector<Figure> evaluate(const FlowModel& model, const Examples& examples, std::int64_t draws,
                             Console& console);

}  // namespace genera::zoo::flow
