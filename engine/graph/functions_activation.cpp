// Activations. Branches are chosen by where(), of which both sides are finite wherever they are not
// chosen, so that no gradient of any order multiplies 0 by infinity.
#include "engine/graph/composite.h"

#include <cmath>

namespace genera {

Tensor leaky_relu(const Tensor& x, double slope) {
  check_floating("leaky_relu", x);
  return where(not_positive(x), multiply(x, number(x, slope)), x);
}

Tensor elu(const Tensor& x, double alpha) {
  check_floating("elu", x);
  const Tensor low = not_positive(x);
  const Tensor curve = expm1(where(low, x, lit(x, 0)));
  return where(low, multiply(curve, number(x, alpha)), x);
}

Tensor gelu(const Tensor& x) {
  check_floating("gelu", x);
  const Tensor half_x = multiply(x, lit(x, 0.5));
  return fma(half_x, erf(multiply(x, lit(x, std::sqrt(0.5)))), half_x);
}

Tensor gelu_tanh(const Tensor& x) {
  check_floating("gelu_tanh", x);
  // (1 + tanh(u)) / 2 = sigmoid(2 u), which does not cancel for negative u.
  const double scale = 2 * std::sqrt(2 / 3.14159265358979323846);
  const Tensor inner = fma(multiply(x, x), lit(x, 0.044715 * scale), lit(x, scale));
  return multiply(x, sigmoid(multiply(x, inner)));
}

Tensor silu(const Tensor& x) {
  check_floating("silu", x);
  return multiply(x, sigmoid(x));
}

Tensor log_sigmoid(const Tensor& x) {
  check_floating("log_sigmoid", x);
  return negative(softplus(negative(x)));
}

Tensor mish(const Tensor& x) {
  check_floating("mish", x);
  return multiply(x, tanh(softplus(x)));
}

Tensor hardtanh(const Tensor& x, double low, double high) {
  check_floating("hardtanh", x);
  return clip(x, low, high);
}

}  // namespace genera
