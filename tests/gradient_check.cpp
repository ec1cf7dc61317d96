#include "tests/gradient_check.h"

#include <genera/autodiff.h>

#include <fmt/format.h>

#include <cmath>

namespace genera::cases {
namespace {

using Tensors = std::vector<Tensor>;

constexpr double inner = 1.3, outer = 1.7;

Tensor weighted(const Tensor& y, std::uint64_t seed) {
  const Tensor real = is_floating(y.dtype()) ? y : cast(y, DType::f64);
  return sum(real * numbers(y.shape(), -1, 1, seed, real.dtype()) * outer);
}

/// What is differentiated: the case's primitive between two factors, or a projection of the
/// gradient of that.
Tensor loss_of(const Case& c, const Tensors& x, Order order) {
  if (order == Order::second) {
    const Tensors grads = [&] {
      Tensors wanted;
      for (const Tensor& input : x)
        if (is_floating(input.dtype())) wanted.push_back(input);
      return grad(loss_of(c, x, Order::first), wanted).values;
    }();
    Tensor total;
    for (std::size_t i = 0; i < grads.size(); ++i) {
      const Tensor part = weighted(grads[i], 900 + i);
      total = total ? total + part : part;
    }
    return total;
  }
  Tensors scaled;
  for (const Tensor& input : x)
    scaled.push_back(is_floating(input.dtype()) ? input * inner : input);
  Tensor total;
  const Tensors outputs = c.build(scaled);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor part = weighted(outputs[i], 700 + i);
    total = total ? total + part : part;
  }
  return total;
}

/// The case's inputs, so that the factor before the primitive brings them back to the table's
/// values.
Tensors starting_points(const Case& c) {
  Tensors x;
  for (const Tensor& input : c.inputs)
    x.push_back(is_floating(input.dtype()) ? detach(input / inner) : input);
  return x;
}

double moved_loss(const Case& c, Tensors x, std::size_t input, std::size_t element, double by,
                  Order order) {
  std::vector<double> values = x[input].to_vector<double>();
  values[element] += by;
  x[input] = Tensor::from(values, x[input].shape());
  return loss_of(c, x, order).item<double>();
}

}  // namespace

Verdict check_gradients(const Case& c, Order order) {
  Verdict verdict;
  if (c.step == 0) return verdict;
  const Tensors x = starting_points(c);
  Tensors wanted;
  std::vector<std::size_t> position;
  for (std::size_t i = 0; i < x.size(); ++i)
    if (is_floating(x[i].dtype())) {
      wanted.push_back(x[i]);
      position.push_back(i);
    }
  if (wanted.empty()) return verdict;
  const Tensors grads = grad(loss_of(c, x, order), wanted).values;
  for (std::size_t k = 0; k < grads.size(); ++k) {
    if (!(grads[k].shape() == wanted[k].shape())) {
      verdict.mismatch =
          fmt::format("{}: gradient {} has shape {}", c.name, k, to_string(grads[k].shape()));
      return verdict;
    }
    const std::vector<double> got = grads[k].to_vector<double>();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double after = moved_loss(c, x, position[k], i, c.step, order);
      const double before = moved_loss(c, x, position[k], i, -c.step, order);
      const double expected = (after - before) / (2 * c.step);
      ++verdict.compared;
      if (std::abs(got[i] - expected) <= c.tolerance * std::max(1.0, std::abs(expected))) continue;
      verdict.mismatch =
          fmt::format("{}, order {}: input {} element {}: rule gives {}, differences give {}",
                      c.name, order == Order::first ? 1 : 2, position[k], i, got[i], expected);
      return verdict;
    }
  }
  return verdict;
}

bool has_gradient(const Case& c, std::size_t input) {
  if (c.step == 0 || input >= c.inputs.size() || !is_floating(c.inputs[input].dtype()))
    return false;
  const Tensors x = starting_points(c);
  for (const double g : grad(loss_of(c, x, Order::first), {x[input]})[0].to_vector<double>())
    if (std::abs(g) > 1e-3) return true;
  return false;
}

}  // namespace genera::cases
