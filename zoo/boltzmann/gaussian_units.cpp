// Real-valued visible units (Cho, Ilin and Raiko, 2011), in units u = (v - b0) / s0 of the data's
// mean b0 and deviation s0, so that one learning rate serves all: E(u) = (u - b)^2 / 2s - (u / s) W h
// with s = exp(log_variance). The base-rate model is standard normal in u. On the path, the precision
// and the linear coefficient of
//
//     -(1 - beta) u^2 / 2 - beta ((u - b)^2 / 2s - u input / s)
//
// are P = 1 - beta + beta / s and m = beta (b + input) / s: u is normal with mean m / P and variance
// 1 / P.

#include <genera/functions.h>
#include <genera/ops.h>

#include <cmath>
#include <numbers>

#include "zoo/boltzmann/visible_units.h"

namespace genera::zoo::boltzmann {
namespace {

// Pixels that hardly vary would get an unbounded density: the least variance of the data, and of
// what is left of it given h.
constexpr double least_variance = 1e-3;
constexpr double least_rest = 1e-2;

class GaussianUnits : public VisibleUnits {
 public:
  explicit GaussianUnits(std::int64_t count)
      : bias_("bias", zeros({count})),
        log_variance_("log_variance", zeros({count})),
        base_mean_("base_mean", zeros({count}), false),
        base_log_variance_("base_log_variance", zeros({count}), false) {}

  void visit(nn::Visitor& visitor) const override {
    visitor(bias_, log_variance_, base_mean_, base_log_variance_);
  }
  std::int64_t size() const override { return bias_.shape()[0]; }

  Tensor energy(const Tensor& v, DType dtype) const override {
    return sum(0.5 * square(standard(v, dtype) - cast(bias_, dtype)) * exp(-bounded(dtype)), {1});
  }
  const State& bias() const override { return bias_; }
  Tensor base_energy(const Tensor& v) const override {
    return sum(0.5 * square(standard(v, DType::f32)), {1});
  }
  Tensor message(const Tensor& v) const override {
    return standard(v, DType::f32) * exp(-bounded(DType::f32));
  }
  Tensor mean(const Tensor& input, const Tensor& beta) const override {
    const Coefficients c = coefficients(input, beta);
    return pixels(c.linear / c.precision);
  }
  Tensor sample(const Tensor& input, const Tensor& beta, const Key& key) const override {
    const Coefficients c = coefficients(input, beta);
    return pixels(c.linear / c.precision + rsqrt(c.precision) * random_normal(key, input.shape()));
  }
  Tensor log_sum(const Tensor& input, const Tensor& beta) const override {
    const Coefficients c = coefficients(input, beta);
    const DType dtype = input.dtype();
    const Tensor at_zero = 0.5 * beta * square(cast(bias_, dtype)) * exp(-bounded(dtype));
    const Tensor normaliser =
        0.5 * (std::log(2 * std::numbers::pi) - log(c.precision) + cast(base_log_variance_, dtype));
    return sum(normaliser + 0.5 * square(c.linear) / c.precision - at_zero, {1});
  }
  Tensor log_sum_gain(const Tensor& input, const Tensor& from, const Tensor& to) const override {
    const Tensor exact = cast(input, DType::f64);
    return log_sum(exact, cast(to, DType::f64)) - log_sum(exact, cast(from, DType::f64));
  }
  void set_base(const Tensor& mean, const Tensor& variance) const override {
    base_mean_.set(detach(mean));
    base_log_variance_.set(detach(log(maximum(variance, least_variance))));
    bias_.set(zeros(bias_.shape()).eval());
    log_variance_.set(zeros(bias_.shape()).eval());
  }

 private:
  struct Coefficients {
    Tensor precision, linear;
  };
  Tensor standard(const Tensor& v, DType dtype) const {
    return (cast(v, dtype) - cast(base_mean_, dtype)) * exp(-0.5 * cast(base_log_variance_, dtype));
  }
  Tensor pixels(const Tensor& u) const {
    return base_mean_ + exp(0.5 * base_log_variance_.value()) * u;
  }
  Tensor bounded(DType dtype) const {
    return cast(maximum(log_variance_.value(), std::log(least_rest)), dtype);
  }
  Coefficients coefficients(const Tensor& input, const Tensor& beta) const {
    const Tensor own = beta * exp(-bounded(input.dtype()));
    return {1 - beta + own, own * (cast(bias_, input.dtype()) + input)};
  }

  State bias_, log_variance_, base_mean_, base_log_variance_;
};

}  // namespace

std::shared_ptr<const VisibleUnits> make_gaussian_units(std::int64_t count) {
  return std::make_shared<GaussianUnits>(count);
}

}  // namespace genera::zoo::boltzmann
