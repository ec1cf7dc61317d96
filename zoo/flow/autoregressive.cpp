#include "zoo/flow/autoregressive.h"

#include <genera/functions.h>

#include <algorithm>

#include "zoo/flow/coupling.h"

namespace genera::zoo::flow {
namespace {

// Degrees of a hidden layer's units, cycling through 1 … size-1.
std::vector<std::int64_t> hidden_degrees(std::int64_t hidden, std::int64_t size) {
  std::vector<std::int64_t> degrees;
  for (std::int64_t k = 0; k < hidden; ++k)
    degrees.push_back(1 + k % std::max<std::int64_t>(size - 1, 1));
  return degrees;
}

// 1..size, `times` times: the degrees of inputs and of outputs.
std::vector<std::int64_t> number_degrees(std::int64_t size, std::int64_t times) {
  std::vector<std::int64_t> degrees;
  for (std::int64_t i = 0; i < size * times; ++i) degrees.push_back(1 + i % size);
  return degrees;
}

// (out,in): 1 where a unit may see an input, by their degrees; outputs see smaller degrees only.
Tensor mask(const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& out,
            bool strictly) {
  std::vector<float> seen;
  for (const std::int64_t to : out)
    for (const std::int64_t from : in) seen.push_back(from < to || (from == to && !strictly));
  return Tensor::from(
      seen, Shape{static_cast<std::int64_t>(out.size()), static_cast<std::int64_t>(in.size())});
}

}  // namespace

MaskedNetwork::MaskedNetwork(std::int64_t size, std::int64_t hidden, std::int64_t parameters,
                             const Key& key) {
  const auto numbers = number_degrees(size, 1), units = hidden_degrees(hidden, size);
  layers_ = {nn::Linear(size, hidden, key.fold_in(0)), nn::Linear(hidden, hidden, key.fold_in(1)),
             nn::Linear(hidden, parameters * size, key.fold_in(2))};
  layers_[2].weight().set(zeros(layers_[2].weight().shape()));
  layers_[2].bias().set(zeros(layers_[2].bias().shape()));
  masks_ = {mask(numbers, units, false), mask(units, units, false),
            mask(units, number_degrees(size, parameters), true)};
}

Tensor MaskedNetwork::forward(const Tensor& x, Context&) const {
  Tensor h = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) h = relu(h);
    h = linear(h, layers_[i].weight() * masks_[i], layers_[i].bias());
  }
  return h;
}

Autoregressive::Autoregressive(MaskedNetwork network, std::shared_ptr<const ScalarMap> scalar_map)
    : network_(nn::named("network", std::move(network))), scalar_map_(std::move(scalar_map)) {}

Mapped Autoregressive::map(const Tensor& x, Context& context) const {
  const Tensor parameters = split_parameters(network_(x, context), scalar_map_->parameters());
  const ScalarMapped mapped = scalar_map_->map(x, parameters);
  return {mapped.value, sum_of_example(mapped.log_derivative)};
}

// After pass d the numbers 1 … d are right, whatever the others are.
Tensor Autoregressive::inverse(const Tensor& z) const {
  Tensor x = zeros(z.shape());
  for (std::int64_t d = 0; d < z.size(1); ++d) {
    const Tensor parameters = split_parameters(network_(x), scalar_map_->parameters());
    x = detach(scalar_map_->inverse(z, parameters));
  }
  return x;
}

}  // namespace genera::zoo::flow
