#include "zoo/boltzmann/visible_machine.h"

#include <genera/functions.h>
#include <genera/ops.h>

namespace genera::zoo::boltzmann {
namespace {

constexpr double least_mean = 1e-3;

}  // namespace

VisibleMachine::VisibleMachine(std::int64_t count)
    : coupling_("coupling", zeros({count, count})),
      bias_("bias", zeros({count})),
      base_bias_("base_bias", zeros({count}), false) {}

Tensor VisibleMachine::energy(const Units& x, DType dtype) const {
  const Tensor v = cast(x[0], dtype);
  const Tensor above = triu(cast(coupling_, dtype), 1);
  return -sum(v * (matmul(v, above) + cast(bias_, dtype)), {1});
}

Tensor VisibleMachine::base_energy(const Units& x) const {
  return -sum(x[0] * base_bias_.value(), {1});
}

Tensor VisibleMachine::entropy(const Units& x) const { return zeros({x[0].size(0)}, DType::f64); }

// Draws every unit given all others, one after the other, but for those that are known.
Tensor VisibleMachine::swept(Tensor v, const Tensor& beta, const Tensor& known,
                             const Key& key) const {
  const std::int64_t count = visible_size();
  const Tensor above = triu(coupling_, 1);
  const Tensor symmetric = above + transpose(above);
  const Tensor place = iota({1, count}, 1);
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor input = sum(v * slice(symmetric, 0, i, i + 1), {1}, true);
    const Tensor base = slice(base_bias_, 0, i, i + 1), own = slice(bias_, 0, i, i + 1);
    const Tensor p = sigmoid(base + beta * (own - base + input));
    const Tensor drawn =
        cast(random_bernoulli(key.fold_in(static_cast<std::uint64_t>(i)), p), DType::f32);
    const Tensor here = equal(place, static_cast<double>(i));
    v = where(known ? logical_and(here, logical_not(known)) : here, drawn, v);
  }
  return v;
}

Sweep VisibleMachine::sweep(const Units& chain, const Tensor& beta, const Key& key) const {
  const Units x = {swept(chain[0], beta, {}, key)};
  return {x, x};
}

Units VisibleMachine::clamped_sweep(Tensor& v, const Units&, const Tensor& known,
                                    const Key& key) const {
  v = swept(v, scalar(1), known, key);
  return {v};
}

Tensor VisibleMachine::log_weight(const Units& chain, const Tensor& beta) const {
  const Tensor base = sum(cast(chain[0], DType::f64) * cast(base_bias_, DType::f64), {1});
  return (1 - beta) * base - beta * energy(chain, DType::f64);
}

Tensor VisibleMachine::log_weight_gain(const Units& chain, const Tensor& from,
                                       const Tensor& to) const {
  return cast((to - from) * (base_energy(chain) - energy(chain, DType::f32)), DType::f64);
}

double VisibleMachine::base_log_z() const {
  return sum(softplus(cast(base_bias_, DType::f64))).item<double>();
}

Units VisibleMachine::base_chain(std::int64_t count, const Key& key) const {
  const Tensor p = broadcast_to(sigmoid(base_bias_), Shape{count, visible_size()});
  return {cast(random_bernoulli(key, p), DType::f32)};
}

void VisibleMachine::set_base(const Tensor& mean, const Tensor&) const {
  const Tensor p = clip(mean, least_mean, 1 - least_mean);
  const Tensor bias = (log(p) - log1p(-p)).eval();
  base_bias_.set(bias);
  bias_.set(detach(bias));
}

}  // namespace genera::zoo::boltzmann
