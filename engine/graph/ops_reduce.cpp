#include "engine/graph/build.h"

#include <fmt/format.h>

#include <bit>

namespace genera {
namespace {

Axes all_axes(const Tensor& x) {
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  return axes;
}

/// Drops the axes of `set` (of extent 1) from x.
Tensor without_axes(const Tensor& x, std::uint64_t set) {
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (!(set >> axis & 1)) extents.push_back(x.shape()[axis]);
  return reshape(x, Shape(extents));
}

/// The axes of `set` that no kept axis separates from the last of them.
std::uint64_t innermost_run(const Shape& shape, std::uint64_t set) {
  std::uint64_t run = 0;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (set >> axis & 1)
      run |= std::uint64_t{1} << axis;
    else if (run != 0 && shape[axis] != 1)
      break;
  }
  return run;
}

/// The axes that the gradient of a layer's bias is summed over at first: positions of images (N, C, H, W), else all but
/// the last. Empty where they make few terms.
std::uint64_t bias_axes(const Shape& shape) {
  constexpr std::int64_t least_terms = 64;
  const int rank = shape.rank(), first = rank >= 4 ? 2 : 0, end = rank >= 4 ? rank : rank - 1;
  std::uint64_t axes = 0;
  std::int64_t terms = 1;
  for (int axis = first; axis < end; ++axis) {
    axes |= std::uint64_t{1} << axis;
    terms *= shape[axis];
  }
  return terms >= least_terms ? axes : 0;
}

Tensor reduce_kept(Op op, const Tensor& x, std::uint64_t set, DType dtype) {
  Shape kept = x.shape();
  for (int axis = 0; axis < x.rank(); ++axis)
    if (set >> axis & 1) kept = kept.with(axis, 1);
  return make_node(op, {x}, dtype, kept, ReduceAttrs{set});
}

Tensor reduce(Op op, std::string_view function, const Tensor& x, const Axes& axes, bool keepdims,
              DType dtype) {
  const std::uint64_t set = checked_axes(function, axes, x.rank());
  if (set == 0 && op != Op::ArgMax) return x;
  Tensor result = x;
  std::uint64_t left = set;
  // Sums over axes on both sides of a kept one (over N, H, W of N, C, H, W) go through memory in its
  // order, inner axes first. Not where the partial sums would be rounded to half precision.
  if (op == Op::ReduceSum && size_of(dtype) >= 4) {
    // A sum over everything begins like the gradient of a bias, so that a loss shares its kernel with that.
    const bool everything = std::popcount(set) == x.rank();
    if (const std::uint64_t first = everything ? bias_axes(x.shape()) : 0; first != 0) {
      result = reduce_kept(op, result, first, dtype);
      left &= ~first;
    }
    for (std::uint64_t run = innermost_run(x.shape(), left); run != left;
         run = innermost_run(x.shape(), left)) {
      result = reduce_kept(op, result, run, dtype);
      left &= ~run;
    }
  }
  result = reduce_kept(op, result, left, dtype);
  return keepdims ? result : without_axes(result, set);
}

Tensor scan(std::string_view function, ScanAttrs::Kind kind, const Tensor& x, int axis,
            bool reverse) {
  check_tensor(function, x);
  if (x.dtype() == DType::boolean || (kind == ScanAttrs::log_add_exp && !is_floating(x.dtype())))
    fail(function, fmt::format("does not take {}; cast it first", describe(x)));
  axis = checked_axis(function, axis, x.rank());
  return make_node(Op::Scan, {x}, x.dtype(), x.shape(), ScanAttrs{kind, axis, reverse});
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("sum", x);
  if (x.dtype() == DType::boolean) fail("sum", "does not take bool; cast it to i32 or f32 first");
  return reduce(Op::ReduceSum, "sum", x, axes, keepdims, x.dtype());
}
Tensor sum(const Tensor& x) {
  check_tensor("sum", x);
  return sum(x, all_axes(x));
}
Tensor max(const Tensor& x, const Axes& axes, bool keepdims) {
  check_tensor("max", x);
  return reduce(Op::ReduceMax, "max", x, axes, keepdims, x.dtype());
}
Tensor max(const Tensor& x) {
  check_tensor("max", x);
  return max(x, all_axes(x));
}
Tensor argmax(const Tensor& x, int axis, bool keepdims) {
  check_tensor("argmax", x);
  axis = checked_axis("argmax", axis, x.rank());
  if (x.shape()[axis] == 0)
    fail("argmax", fmt::format("axis {} of {} is empty", axis, describe(x)));
  return reduce(Op::ArgMax, "argmax", x, {axis}, keepdims, DType::i32);
}

Tensor cumsum(const Tensor& x, int axis, bool reverse) {
  return scan("cumsum", ScanAttrs::sum, x, axis, reverse);
}
Tensor cummax(const Tensor& x, int axis, bool reverse) {
  return scan("cummax", ScanAttrs::max, x, axis, reverse);
}
Tensor logcumsumexp(const Tensor& x, int axis, bool reverse) {
  return scan("logcumsumexp", ScanAttrs::log_add_exp, x, axis, reverse);
}

Tensor argsort(const Tensor& x, int axis) {
  check_tensor("argsort", x);
  axis = checked_axis("argsort", axis, x.rank());
  return make_node(Op::ArgSort, {x}, DType::i32, x.shape(), AxisAttrs{axis});
}

}  // namespace genera
