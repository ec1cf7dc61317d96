// Reductions that are made of sums and maxima.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace genera {
namespace {

/// Drops the axes, which have extent 1.
Tensor drop_axes(const Tensor& x, const Axes& axes) { return axes.empty() ? x : squeeze(x, axes); }

/// Product along one axis, which stays with extent 1.
Tensor product_along(const Tensor& x, int axis) {
  if (x.size(axis) == 0) return ones(x.shape().with(axis, 1), x.dtype());
  Tensor rest = x;
  Tensor odd;  // the product of what did not find a partner
  while (rest.size(axis) > 1) {
    const std::int64_t n = rest.size(axis);
    if (n % 2 == 1) {
      const Tensor last = slice(rest, axis, n - 1, n);
      odd = odd ? multiply(odd, last) : last;
    }
    rest = multiply(slice(rest, axis, 0, n / 2), slice(rest, axis, n / 2, n / 2 * 2));
  }
  return odd ? multiply(rest, odd) : rest;
}

}  // namespace

Tensor mean(const Tensor& x, const Axes& axes, bool keepdims) {
  check_floating("mean", x);
  const auto count = static_cast<double>(reduced_elements("mean", x, axes));
  const Tensor total = sum(x, axes, keepdims);
  return divide(total, lit(total, count));
}
Tensor mean(const Tensor& x) { return mean(x, all_axes("mean", x)); }

Tensor min(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("min", x);
  return reversed_order(max(reversed_order(x), axes, keepdims));
}
Tensor min(const Tensor& x) { return min(x, all_axes("min", x)); }

Tensor prod(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("prod", x);
  (void)checked_axes("prod", axes, x.rank());
  Tensor result = x;
  for (const int axis : axes) result = product_along(result, checked_axis("prod", axis, x.rank()));
  return keepdims ? result : drop_axes(result, axes);
}
Tensor prod(const Tensor& x) { return prod(x, all_axes("prod", x)); }

Tensor var(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_floating("var", x);
  const auto count = static_cast<double>(reduced_elements("var", x, axes));
  const Tensor centred = subtract(x, mean(x, axes, true));
  const Tensor total = sum(multiply(centred, centred), axes, keepdims);
  return divide(total, lit(total, std::max(0.0, count - correction)));
}
Tensor var(const Tensor& x) { return var(x, all_axes("var", x)); }

Tensor stddev(const Tensor& x, const Axes& axes, bool keepdims, double correction) {
  check_floating("stddev", x);
  return sqrt(var(x, axes, keepdims, correction));
}
Tensor stddev(const Tensor& x) { return stddev(x, all_axes("stddev", x)); }

Tensor norm(const Tensor& x, const Axes& axes, bool keepdims, double order) {
  check_floating("norm", x);
  if (!(order > 0)) fail("norm", fmt::format("the order must be above 0, got {}", order));
  if (std::isinf(order)) return max(abs(x), axes, keepdims);
  if (order == 1) return sum(abs(x), axes, keepdims);
  const Tensor powers = order == 2 ? multiply(x, x) : pow(abs(x), order);
  const Tensor total = sum(powers, axes, keepdims);
  // The root's slope at 0 is infinite: take the root of 1 there, and its result as 0.
  const Tensor nothing = equal(total, lit(total, 0));
  const Tensor safe = where(nothing, lit(total, 1), total);
  return where(nothing, lit(total, 0), order == 2 ? sqrt(safe) : pow(safe, 1 / order));
}
Tensor norm(const Tensor& x) { return norm(x, all_axes("norm", x)); }

Tensor any(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("any", x);
  return max(cast(x, DType::boolean), axes, keepdims);
}
Tensor any(const Tensor& x) { return any(x, all_axes("any", x)); }

Tensor all(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("all", x);
  return logical_not(max(logical_not(cast(x, DType::boolean)), axes, keepdims));
}
Tensor all(const Tensor& x) { return all(x, all_axes("all", x)); }

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdims) {
  check_floating("logsumexp", x);
  const Tensor largest = stop_gradient(max(x, axes, true));
  const Tensor shift = where(isfinite(largest), largest, lit(largest, 0));
  const Tensor total = sum(exp(subtract(x, shift)), axes, true);
  // log's slope at 0 is infinite: a row of -infinity takes log(1) there and is put right
  // afterwards.
  const Tensor empty = equal(total, lit(total, 0));
  const Tensor value = add(log(where(empty, lit(total, 1), total)), shift);
  const double infinity = std::numeric_limits<double>::infinity();
  const Tensor result = where(empty, lit(total, -infinity), value);
  return keepdims ? result : drop_axes(result, axes);
}
Tensor logsumexp(const Tensor& x) { return logsumexp(x, all_axes("logsumexp", x)); }

Tensor softmax(const Tensor& x, int axis) {
  check_floating("softmax", x);
  const Tensor e = exp(subtract(x, stop_gradient(max(x, {axis}, true))));
  return divide(e, sum(e, {axis}, true));
}

Tensor log_softmax(const Tensor& x, int axis) {
  check_floating("log_softmax", x);
  const Tensor shifted = subtract(x, stop_gradient(max(x, {axis}, true)));
  return subtract(shifted, log(sum(exp(shifted), {axis}, true)));
}

Tensor argmin(const Tensor& x, int axis, bool keepdims) {
  check_tensor("argmin", x);
  return argmax(reversed_order(x), axis, keepdims);
}

Tensor cumprod(const Tensor& x, int axis) {
  check_tensor("cumprod", x);
  axis = checked_axis("cumprod", axis, x.rank());
  const std::int64_t n = x.size(axis);
  Tensor result = x;
  for (std::int64_t shift = 1; shift < n; shift *= 2) {
    const Tensor earlier = slice(result, axis, 0, n - shift);
    const Tensor later = slice(result, axis, shift, n);
    result = concat({slice(result, axis, 0, shift), multiply(earlier, later)}, axis);
  }
  return result;
}

}  // namespace genera
