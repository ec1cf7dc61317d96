#include "engine/core/joined.h"
#include "engine/graph/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace genera {
namespace {

PerAxis per_axis(std::string_view op, std::string_view what,
                 const std::vector<std::int64_t>& values, int rank, std::int64_t least) {
  if (values.size() != static_cast<std::size_t>(rank))
    fail(op, fmt::format("{} needs one number per axis ({}), got {}", what, rank, values.size()));
  PerAxis result{};
  for (std::size_t d = 0; d < values.size(); ++d) {
    if (values[d] < least)
      fail(op, fmt::format("{} must be at least {}, got {}", what, least, values[d]));
    result[d] = values[d];
  }
  return result;
}

WindowAttrs window_attrs(std::string_view op, int rank, const Axes& axes,
                         const std::vector<std::int64_t>& size,
                         const std::vector<std::int64_t>& stride,
                         const std::vector<std::int64_t>& dilation) {
  const int count = static_cast<int>(axes.size());
  (void)checked_axes(op, axes, rank);
  if (rank + count > Shape::max_rank)
    fail(op,
         fmt::format("rank {} plus {} windows is more than {} axes", rank, count, Shape::max_rank));
  WindowAttrs attrs{};
  attrs.count = count;
  attrs.size = per_axis(op, "size", size, count, 1);
  attrs.stride = per_axis(op, "stride", stride, count, 1);
  attrs.dilation =
      per_axis(op, "dilation",
               dilation.empty() ? std::vector<std::int64_t>(axes.size(), 1) : dilation, count, 1);
  for (int k = 0; k < count; ++k)
    attrs.axes[static_cast<std::size_t>(k)] =
        checked_axis(op, axes[static_cast<std::size_t>(k)], rank);
  return attrs;
}

Shape window_shape(std::string_view op, const Shape& x, const WindowAttrs& attrs) {
  Shape shape = x;
  for (std::size_t k = 0; k < static_cast<std::size_t>(attrs.count); ++k) {
    const int axis = static_cast<int>(attrs.axes[k]);
    const std::int64_t reach =
        checked_sum(op, checked_product(op, attrs.dilation[k], attrs.size[k] - 1), 1);
    if (reach > x[axis])
      fail(op, fmt::format("a window of reach {} does not fit axis {} of {}", reach, axis,
                           to_string(x)));
    shape = shape.with(axis, (x[axis] - reach) / attrs.stride[k] + 1);
  }
  for (std::size_t k = 0; k < static_cast<std::size_t>(attrs.count); ++k)
    shape = shape.appended(attrs.size[k]);
  return shape;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_tensor("reshape", x);
  if (x.shape() == shape) return x;
  if (x.elements() != shape.elements())
    fail("reshape", fmt::format("{} has {} elements, {} has {}", to_string(x.shape()), x.elements(),
                                to_string(shape), shape.elements()));
  return make_node(Op::Reshape, {x}, x.dtype(), shape);
}

Tensor reshape(const Tensor& x, const std::vector<std::int64_t>& extents) {
  check_tensor("reshape", x);
  std::vector<std::int64_t> wanted = extents;
  const auto open = std::find(wanted.begin(), wanted.end(), -1);
  if (open != wanted.end()) {
    std::int64_t known = 1;
    for (const std::int64_t extent : wanted)
      if (extent != -1) known = checked_product("reshape", known, extent);
    if (std::count(wanted.begin(), wanted.end(), -1) > 1 || known == 0 || x.elements() % known != 0)
      fail("reshape",
           fmt::format("({}) cannot hold the {} elements of {}: one extent may be -1, and the "
                       "others must divide",
                       joined(wanted, ","), x.elements(), to_string(x.shape())));
    *open = x.elements() / known;
  }
  return reshape(x, Shape(wanted));
}

Tensor permute(const Tensor& x, const Axes& axes) {
  check_tensor("permute", x);
  const int rank = x.rank();
  if (static_cast<int>(axes.size()) != rank)
    fail("permute", fmt::format("needs {} axes for {}, got {}", rank, describe(x), axes.size()));
  (void)checked_axes("permute", axes, rank);
  PermuteAttrs attrs{};
  Shape shape = x.shape();
  bool identity = true;
  for (int d = 0; d < rank; ++d) {
    const int from = checked_axis("permute", axes[static_cast<std::size_t>(d)], rank);
    attrs.axes[static_cast<std::size_t>(d)] = from;
    shape = shape.with(d, x.shape()[from]);
    identity = identity && from == d;
  }
  return identity ? x : make_node(Op::Permute, {x}, x.dtype(), shape, attrs);
}

Tensor transpose(const Tensor& x, int axis_a, int axis_b) {
  check_tensor("transpose", x);
  Axes axes;
  for (int d = 0; d < x.rank(); ++d) axes.push_back(d);
  std::swap(axes[static_cast<std::size_t>(checked_axis("transpose", axis_a, x.rank()))],
            axes[static_cast<std::size_t>(checked_axis("transpose", axis_b, x.rank()))]);
  return permute(x, axes);
}

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  check_tensor("broadcast_to", x);
  if (x.shape() == shape) return x;
  if (!(broadcast_shape("broadcast_to", x.shape(), shape) == shape))
    fail("broadcast_to",
         fmt::format("{} does not broadcast to {}", to_string(x.shape()), to_string(shape)));
  Tensor aligned = x;
  if (x.rank() < shape.rank()) {
    std::vector<std::int64_t> extents(static_cast<std::size_t>(shape.rank() - x.rank()), 1);
    extents.insert(extents.end(), x.shape().begin(), x.shape().end());
    aligned = reshape(x, Shape(extents));
    if (aligned.shape() == shape) return aligned;
  }
  return make_node(Op::Broadcast, {aligned}, x.dtype(), shape);
}

Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop, std::int64_t step) {
  check_tensor("slice", x);
  axis = checked_axis("slice", axis, x.rank());
  if (step == 0) fail("slice", "the step must not be 0");
  const std::int64_t extent = x.shape()[axis];
  const std::int64_t low = step > 0 ? 0 : -1;
  const std::int64_t high = step > 0 ? extent : extent - 1;
  const auto clamped = [&](std::int64_t at) {
    return std::clamp(at < 0 ? at + extent : at, low, high);
  };
  const std::int64_t first = clamped(start);
  const std::int64_t last = clamped(stop);
  const std::int64_t way = step > 0 ? last - first : first - last;
  const std::int64_t count = way <= 0 ? 0 : 1 + std::abs((way - 1) / step);
  std::vector<std::int64_t> starts(static_cast<std::size_t>(x.rank()), 0);
  std::vector<std::int64_t> steps(static_cast<std::size_t>(x.rank()), 1);
  starts[static_cast<std::size_t>(axis)] = count == 0 ? 0 : first;
  steps[static_cast<std::size_t>(axis)] = step;
  return strided_slice(x, starts, x.shape().with(axis, count), steps);
}

Tensor strided_slice(const Tensor& x, const std::vector<std::int64_t>& start, const Shape& shape,
                     const std::vector<std::int64_t>& step) {
  check_tensor("strided_slice", x);
  const int rank = x.rank();
  if (shape.rank() != rank)
    fail("strided_slice",
         fmt::format("shape {} needs the rank of {}", to_string(shape), describe(x)));
  SliceAttrs attrs{};
  attrs.start = per_axis("strided_slice", "start", start, rank, 0);
  if (step.size() != static_cast<std::size_t>(rank))
    fail("strided_slice",
         fmt::format("step needs one number per axis ({}), got {}", rank, step.size()));
  bool identity = shape == x.shape();
  for (int d = 0; d < rank; ++d) {
    const auto at = static_cast<std::size_t>(d);
    attrs.step[at] = step[at];
    identity = identity && step[at] == 1;
    if (step[at] == 0) fail("strided_slice", "steps must not be 0");
    if (shape[d] == 0) continue;
    const std::int64_t reach = checked_product("strided_slice", shape[d] - 1, step[at]);
    const std::int64_t last = checked_sum("strided_slice", attrs.start[at], reach);
    if (attrs.start[at] >= x.shape()[d] || last < 0 || last >= x.shape()[d])
      fail("strided_slice", fmt::format("start {}, step {} and {} elements leave axis {} of {}",
                                        attrs.start[at], step[at], shape[d], d, describe(x)));
  }
  return identity ? x : make_node(Op::Slice, {x}, x.dtype(), shape, attrs);
}

Tensor dynamic_slice(const Tensor& x, const Tensor& start, const Shape& shape) {
  check_tensor("dynamic_slice", x);
  check_tensor("dynamic_slice", start);
  if (start.dtype() != DType::i32 || !(start.shape() == Shape{x.rank()}))
    fail("dynamic_slice", fmt::format("start must be ({}) i32, got {}", x.rank(), describe(start)));
  if (shape.rank() != x.rank())
    fail("dynamic_slice",
         fmt::format("shape {} needs the rank of {}", to_string(shape), describe(x)));
  SliceAttrs attrs{};
  for (int d = 0; d < x.rank(); ++d) {
    attrs.step[static_cast<std::size_t>(d)] = 1;
    if (shape[d] > x.shape()[d])
      fail("dynamic_slice",
           fmt::format("shape {} does not fit in {}", to_string(shape), describe(x)));
  }
  return make_node(Op::Slice, {x, start}, x.dtype(), shape, attrs);
}

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& lo,
           const std::vector<std::int64_t>& hi, const std::vector<std::int64_t>& interior) {
  check_tensor("pad", x);
  const int rank = x.rank();
  PadAttrs attrs{};
  attrs.lo = per_axis("pad", "lo", lo, rank, 0);
  attrs.hi = per_axis("pad", "hi", hi, rank, 0);
  attrs.interior = per_axis(
      "pad", "interior",
      interior.empty() ? std::vector<std::int64_t>(static_cast<std::size_t>(rank), 0) : interior,
      rank, 0);
  Shape shape = x.shape();
  for (int d = 0; d < rank; ++d) {
    const auto at = static_cast<std::size_t>(d);
    const std::int64_t gaps = std::max<std::int64_t>(0, x.shape()[d] - 1);
    const std::int64_t inner =
        checked_sum("pad", x.shape()[d], checked_product("pad", gaps, attrs.interior[at]));
    shape =
        shape.with(d, checked_sum("pad", checked_sum("pad", attrs.lo[at], inner), attrs.hi[at]));
  }
  return shape == x.shape() ? x : make_node(Op::Pad, {x}, x.dtype(), shape, attrs);
}

Tensor concat(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) fail("concat", "needs at least one tensor");
  check_tensor("concat", parts[0]);
  axis = checked_axis("concat", axis, parts[0].rank());
  std::int64_t extent = 0;
  for (const Tensor& part : parts) {
    check_same_dtype("concat", parts[0], part);
    if (part.rank() != parts[0].rank() ||
        !(part.shape().with(axis, 0) == parts[0].shape().with(axis, 0)))
      fail("concat", fmt::format("{} and {} differ outside axis {}", describe(parts[0]),
                                 describe(part), axis));
    extent = checked_sum("concat", extent, part.shape()[axis]);
  }
  if (parts.size() == 1) return parts[0];
  const ConcatAttrs attrs{axis, 0};
  const std::vector<Value> operands(parts.begin(), parts.end());
  return make_node(Op::Concat, operands, parts[0].dtype(), parts[0].shape().with(axis, extent),
                   std::as_bytes(std::span<const ConcatAttrs, 1>(&attrs, 1)));
}

Tensor window(const Tensor& x, const Axes& axes, const std::vector<std::int64_t>& size,
              const std::vector<std::int64_t>& stride, const std::vector<std::int64_t>& dilation) {
  check_tensor("window", x);
  const WindowAttrs attrs = window_attrs("window", x.rank(), axes, size, stride, dilation);
  return make_node(Op::Window, {x}, x.dtype(), window_shape("window", x.shape(), attrs), attrs);
}

Tensor fold(const Tensor& windows, const Shape& shape, const Axes& axes,
            const std::vector<std::int64_t>& size, const std::vector<std::int64_t>& stride,
            const std::vector<std::int64_t>& dilation) {
  check_tensor("fold", windows);
  const WindowAttrs attrs = window_attrs("fold", shape.rank(), axes, size, stride, dilation);
  const Shape expected = window_shape("fold", shape, attrs);
  if (!(windows.shape() == expected))
    fail("fold", fmt::format("windows of {} have shape {}, got {}", to_string(shape),
                             to_string(expected), describe(windows)));
  return make_node(Op::Fold, {windows}, windows.dtype(), shape, attrs);
}

}  // namespace genera
