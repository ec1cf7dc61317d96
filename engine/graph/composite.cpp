#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <limits>

namespace genera {

void check_floating(std::string_view function, const Tensor& x) {
  check_tensor(function, x);
  if (!is_floating(x.dtype()))
    fail(function, fmt::format("needs a floating tensor, got {}; cast it first", describe(x)));
}

void check_floating(std::string_view function, const Tensor& a, const Tensor& b) {
  check_same_dtype(function, a, b);
  check_floating(function, a);
}

void check_elementwise(std::string_view function, const Tensor& a, const Tensor& b) {
  check_same_dtype(function, a, b);
  (void)broadcast_shape(function, a.shape(), b.shape());
}

void check_bool(std::string_view function, const Tensor& x) {
  check_tensor(function, x);
  if (x.dtype() != DType::boolean) fail(function, fmt::format("needs bool, got {}", describe(x)));
}

void check_rank(std::string_view function, const Tensor& x, int rank) {
  check_tensor(function, x);
  if (x.rank() < rank)
    fail(function, fmt::format("needs at least {} axes, got {}", rank, describe(x)));
}

Axes all_axes(std::string_view function, const Tensor& x) {
  check_tensor(function, x);
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

std::int64_t reduced_elements(std::string_view function, const Tensor& x, const Axes& axes) {
  const std::uint64_t set = checked_axes(function, axes, x.rank());
  std::int64_t count = 1;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (set >> axis & 1) count *= x.shape()[axis];
  return count;
}

Tensor not_positive(const Tensor& x) {
  // One comparison: x < tiny. f16 is compared in f32, where its smallest subnormal is a normal
  // number.
  double tiny = std::numeric_limits<float>::min();
  if (x.dtype() == DType::f64) tiny = std::numeric_limits<double>::min();
  if (x.dtype() == DType::f16) tiny = 0x1p-24;
  return less(x, lit(x, tiny));
}

Tensor reversed_order(const Tensor& x) {
  switch (x.dtype()) {
    case DType::boolean:
      return logical_not(x);
    case DType::i32:
    case DType::i64:
      return subtract(lit(x, -1), x);
    case DType::u8:
      return subtract(lit(x, 255), x);
    case DType::u32:
      return subtract(lit(x, 4294967295.0), x);
    default:
      return negative(x);
  }
}

}  // namespace genera
