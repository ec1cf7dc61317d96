#include "zoo/flow/actnorm.h"

#include <genera/functions.h>

namespace genera::zoo::flow {
namespace {

// A channel that is constant in the first batch has no variance to divide by.
constexpr double least_deviation = 1e-4;

// (C) beside (B,C,…).
Tensor beside(const Tensor& per_channel, const Tensor& x) {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(x.rank()), 1);
  extents[1] = x.size(1);
  return reshape(per_channel, extents);
}

std::vector<float> to_float(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

ActNorm::ActNorm(std::int64_t channels)
    : mean_("mean", zeros({channels})),
      log_scale_("log_scale", zeros({channels})),
      initialised_("initialised", zeros({}, DType::i32), false) {}

Mapped ActNorm::map(const Tensor& x, Context& context) const {
  Tensor mean = mean_, log_scale = log_scale_;
  if (context.is_training() && !initialised()) {
    Axes axes = {0};
    for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
    mean = genera::mean(x, axes);
    log_scale = -log(maximum(sqrt(var(x, axes)), least_deviation));
    context.update(mean_, mean);
    context.update(log_scale_, log_scale);
    context.update(initialised_, ones({}, DType::i32));
  }
  return {(x - beside(mean, x)) * exp(beside(log_scale, x)),
          per_example(sum(log_scale) * places_of_channel(x), x)};
}

Tensor ActNorm::inverse(const Tensor& z) const {
  return z * exp(-beside(log_scale_, z)) + beside(mean_, z);
}

Standardise::Standardise(std::int64_t size)
    : mean_("mean", zeros({size}), false), deviation_("deviation", ones({size}), false) {}

void Standardise::set(const std::vector<double>& mean, const std::vector<double>& deviation) const {
  mean_.set(Tensor::from(to_float(mean), mean_.shape()));
  deviation_.set(Tensor::from(to_float(deviation), deviation_.shape()));
}

Mapped Standardise::map(const Tensor& x, Context&) const {
  return {(x - mean_) / deviation_, per_example(-sum(log(deviation_)), x)};
}

Tensor Standardise::inverse(const Tensor& z) const { return z * deviation_ + mean_; }

}  // namespace genera::zoo::flow
