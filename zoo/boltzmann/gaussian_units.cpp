// Real-valued visible units (Cho, Ilin and Raiko, 2011): E(v) = (v - b)^2 / 2s - (v / s) W h with
// s = exp(log_variance). On the path, the precision and the linear coefficient of
//
//     -(1 - beta) (v - b0)^2 / 2 s0 - beta ((v - b)^2 / 2s - v input / s)
//
// are P = (1 - beta) / s0 + beta / s and m = (1 - beta) b0 / s0 + beta (b + input) / s: v is normal
// with mean m / P and variance 1 / P.

#include <genera/functions.h>
#include <genera/ops.h>

#include <cmath>
#include <numbers>

#include "zoo/boltzmann/visible_units.h"

namespace genera::zoo {
namespace {

// Pixels that hardly vary would get an unbounded density.
constexpr double least_variance = 1e-3;

class GaussianUnits : public VisibleUnits {
 public:
  explicit GaussianUnits(std::int64_t count)
      : bias_("bias", zeros({count})),
        log_variance_("log_variance", zeros({count})),
        base_bias_("base_bias", zeros({count}), false),
        base_log_variance_("base_log_variance", zeros({count}), false) {}

  void visit(nn::Visitor& visitor) const override {
    visitor(bias_, log_variance_, base_bias_, base_log_variance_);
  }
  std::int64_t size() const override { return bias_.shape()[0]; }

  Tensor energy(const Tensor& v, DType dtype) const override {
    return sum(0.5 * square(cast(v, dtype) - cast(bias_, dtype)) * exp(-bounded(dtype)), {1});
  }
  const State& bias() const override { return bias_; }
  Tensor base_energy(const Tensor& v) const override {
    return sum(0.5 * square(v - base_bias_) * exp(-base_log_variance_.value()), {1});
  }
  Tensor message(const Tensor& v) const override { return v * exp(-bounded(DType::f32)); }
  Tensor mean(const Tensor& input, const Tensor& beta) const override {
    const Coefficients c = coefficients(input, beta);
    return c.linear / c.precision;
  }
  Tensor sample(const Tensor& input, const Tensor& beta, const Key& key) const override {
    const Coefficients c = coefficients(input, beta);
    return c.linear / c.precision + rsqrt(c.precision) * random_normal(key, input.shape());
  }
  Tensor log_sum(const Tensor& input, const Tensor& beta) const override {
    const Coefficients c = coefficients(input, beta);
    const DType dtype = input.dtype();
    const Tensor at_zero = 0.5 * ((1 - beta) * square(cast(base_bias_, dtype)) *
                                      exp(-cast(base_log_variance_, dtype)) +
                                  beta * square(cast(bias_, dtype)) * exp(-bounded(dtype)));
    const Tensor normaliser = 0.5 * (std::log(2 * std::numbers::pi) - log(c.precision));
    return sum(normaliser + 0.5 * square(c.linear) / c.precision - at_zero, {1});
  }
  Tensor log_sum_gain(const Tensor& input, const Tensor& from, const Tensor& to) const override {
    const Tensor exact = cast(input, DType::f64);
    return log_sum(exact, cast(to, DType::f64)) - log_sum(exact, cast(from, DType::f64));
  }
  void set_base(const Tensor& mean, const Tensor& variance) const override {
    const Tensor spread = log(maximum(variance, least_variance)).eval();
    base_bias_.set(detach(mean));
    bias_.set(detach(mean));
    base_log_variance_.set(spread);
    log_variance_.set(detach(spread));
  }

 private:
  struct Coefficients {
    Tensor precision, linear;
  };
  Tensor bounded(DType dtype) const {
    return cast(maximum(log_variance_.value(), std::log(least_variance)), dtype);
  }
  Coefficients coefficients(const Tensor& input, const Tensor& beta) const {
    const DType dtype = input.dtype();
    const Tensor base = (1 - beta) * exp(-cast(base_log_variance_, dtype));
    const Tensor own = beta * exp(-bounded(dtype));
    return {base + own, base * cast(base_bias_, dtype) + own * (cast(bias_, dtype) + input)};
  }

  State bias_, log_variance_, base_bias_, base_log_variance_;
};

}  // namespace

std::shared_ptr<const VisibleUnits> make_gaussian_units(std::int64_t count) {
  return std::make_shared<GaussianUnits>(count);
}

}  // namespace genera::zoo
