#include "zoo/boltzmann/machine.h"

#include <genera/functions.h>

namespace genera::zoo::boltzmann {

Tensor softplus_gain(const Tensor& x, const Tensor& step) {
  return sign(step) * log1p(sigmoid(x + minimum(step, 0)) * expm1(abs(step)));
}

Tensor log_probability_bound(const Machine& machine, const Tensor& v, int iterations) {
  const Units x = machine.infer(v, iterations);
  return machine.entropy(x) - machine.energy(x, DType::f64);
}

Tensor contrast(const Machine& machine, const Units& data, const Units& model) {
  const auto constant = [](const Units& units) {
    Units result;
    for (const Tensor& layer : units) result.push_back(stop_gradient(layer));
    return result;
  };
  return mean(machine.energy(constant(data))) - mean(machine.energy(constant(model)));
}

}  // namespace genera::zoo::boltzmann
