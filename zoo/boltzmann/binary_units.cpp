// Binary visible units: E(v) = -b v, p(v_i = 1 | input) = sigmoid(b_i + input_i). In the base-rate
// model the bias is the logit of the data's mean.

#include <genera/functions.h>
#include <genera/ops.h>

#include "zoo/boltzmann/machine.h"
#include "zoo/boltzmann/visible_units.h"

namespace genera::zoo::boltzmann {
namespace {

// A pixel that is never on in the data has some probability still: else its logit is infinite.
constexpr double least_mean = 1e-3;

class BinaryUnits : public VisibleUnits {
 public:
  explicit BinaryUnits(std::int64_t count)
      : bias_("bias", zeros({count})), base_bias_("base_bias", zeros({count}), false) {}

  void visit(nn::Visitor& visitor) const override { visitor(bias_, base_bias_); }
  std::int64_t size() const override { return bias_.shape()[0]; }

  Tensor energy(const Tensor& v, DType dtype) const override {
    return -sum(cast(v, dtype) * cast(bias_, dtype), {1});
  }
  const State& bias() const override { return bias_; }
  Tensor base_energy(const Tensor& v) const override { return -sum(v * base_bias_.value(), {1}); }
  Tensor message(const Tensor& v) const override { return v; }
  Tensor mean(const Tensor& input, const Tensor& beta) const override {
    return sigmoid(logits(input, beta));
  }
  Tensor sample(const Tensor& input, const Tensor& beta, const Key& key) const override {
    return cast(random_bernoulli(key, mean(input, beta)), DType::f32);
  }
  Tensor log_sum(const Tensor& input, const Tensor& beta) const override {
    return sum(softplus(logits(input, beta)), {1});
  }
  Tensor log_sum_gain(const Tensor& input, const Tensor& from, const Tensor& to) const override {
    const Tensor step = (to - from) * (bias_ - base_bias_.value() + input);
    return cast(sum(softplus_gain(logits(input, from), step), {1}), DType::f64);
  }
  void set_base(const Tensor& mean, const Tensor&) const override {
    const Tensor p = clip(mean, least_mean, 1 - least_mean);
    const Tensor bias = (log(p) - log1p(-p)).eval();
    base_bias_.set(bias);
    bias_.set(detach(bias));
  }

 private:
  Tensor logits(const Tensor& input, const Tensor& beta) const {
    const DType dtype = input.dtype();
    const Tensor base = cast(base_bias_, dtype);
    return base + beta * (cast(bias_, dtype) - base + input);
  }

  State bias_, base_bias_;
};

}  // namespace

std::shared_ptr<const VisibleUnits> make_binary_units(std::int64_t count) {
  return std::make_shared<BinaryUnits>(count);
}

}  // namespace genera::zoo::boltzmann
