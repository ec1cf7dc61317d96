// Shapes: joining, cutting, repeating and reordering.
#include "engine/core/joined.h"
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace genera {
namespace {

std::vector<std::int64_t> extents_of(const Tensor& x) {
  return {x.shape().begin(), x.shape().end()};
}

}  // namespace

Tensor stack(const std::vector<Tensor>& parts, int axis) {
  if (parts.empty()) fail("stack", "needs at least one tensor");
  std::vector<Tensor> rows;
  for (const Tensor& part : parts) {
    check_same_dtype("stack", parts[0], part);
    if (!(part.shape() == parts[0].shape()))
      fail("stack", fmt::format("all tensors must have one shape, got {} and {}",
                                describe(parts[0]), describe(part)));
    rows.push_back(unsqueeze(part, axis));
  }
  return concat(rows, axis < 0 ? axis + rows[0].rank() : axis);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, int axis) {
  check_tensor("split", x);
  axis = checked_axis("split", axis, x.rank());
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  if (total != x.size(axis) ||
      std::any_of(sizes.begin(), sizes.end(), [](auto s) { return s < 0; }))
    fail("split", fmt::format("sizes ({}) do not sum to the extent {} of axis {} of {}",
                              joined(sizes, ","), x.size(axis), axis, describe(x)));
  std::vector<Tensor> parts;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    parts.push_back(slice(x, axis, start, start + size));
    start += size;
  }
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int axis) {
  check_tensor("chunk", x);
  axis = checked_axis("chunk", axis, x.rank());
  if (count < 1 || x.size(axis) % count != 0)
    fail("chunk", fmt::format("axis {} of {} does not divide into {} equal parts", axis,
                              describe(x), count));
  return split(x, std::vector<std::int64_t>(static_cast<std::size_t>(count), x.size(axis) / count),
               axis);
}

Tensor flip(const Tensor& x, const Axes& axes) {
  check_tensor("flip", x);
  const std::uint64_t set = checked_axes("flip", axes, x.rank());
  std::vector<std::int64_t> start(static_cast<std::size_t>(x.rank()), 0);
  std::vector<std::int64_t> step(static_cast<std::size_t>(x.rank()), 1);
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!(set >> axis & 1) || x.size(axis) < 2) continue;
    start[static_cast<std::size_t>(axis)] = x.size(axis) - 1;
    step[static_cast<std::size_t>(axis)] = -1;
  }
  return strided_slice(x, start, x.shape(), step);
}

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  check_tensor("roll", x);
  axis = checked_axis("roll", axis, x.rank());
  const std::int64_t n = x.size(axis);
  if (n == 0) return x;
  const std::int64_t cut = ((n - shift) % n + n) % n;
  if (cut == 0) return x;
  return concat({slice(x, axis, cut, n), slice(x, axis, 0, cut)}, axis);
}

Tensor tile(const Tensor& x, const std::vector<std::int64_t>& times) {
  check_tensor("tile", x);
  if (times.size() != static_cast<std::size_t>(x.rank()))
    fail("tile", fmt::format("needs one number per axis of {}, got {}", describe(x), times.size()));
  Tensor result = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t n = times[static_cast<std::size_t>(axis)];
    if (n < 0) fail("tile", fmt::format("cannot repeat {} times", n));
    if (n == 1) continue;
    if (result.rank() == Shape::max_rank) {
      if (n == 0)
        result = slice(result, axis, 0, 0);
      else
        result = concat(std::vector<Tensor>(static_cast<std::size_t>(n), result), axis);
      continue;
    }
    const Shape shape = result.shape().with(axis, n * result.size(axis));
    const Tensor column = unsqueeze(result, axis);
    result = reshape(broadcast_to(column, column.shape().with(axis, n)), shape);
  }
  return result;
}

Tensor repeat(const Tensor& x, std::int64_t times, int axis) {
  check_tensor("repeat", x);
  axis = checked_axis("repeat", axis, x.rank());
  if (times < 0) fail("repeat", fmt::format("cannot repeat {} times", times));
  const Tensor column = unsqueeze(x, axis + 1);
  return reshape(broadcast_to(column, column.shape().with(axis + 1, times)),
                 x.shape().with(axis, x.size(axis) * times));
}

Tensor squeeze(const Tensor& x) {
  check_tensor("squeeze", x);
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (x.size(axis) == 1) axes.push_back(axis);
  return squeeze(x, axes);
}

Tensor squeeze(const Tensor& x, const Axes& axes) {
  check_tensor("squeeze", x);
  const std::uint64_t set = checked_axes("squeeze", axes, x.rank());
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!(set >> axis & 1))
      extents.push_back(x.size(axis));
    else if (x.size(axis) != 1)
      fail("squeeze",
           fmt::format("axis {} of {} has extent {}, not 1", axis, describe(x), x.size(axis)));
  }
  return reshape(x, Shape(extents));
}

Tensor unsqueeze(const Tensor& x, int axis) {
  check_tensor("unsqueeze", x);
  axis = checked_axis("unsqueeze", axis, x.rank() + 1);
  std::vector<std::int64_t> extents = extents_of(x);
  extents.insert(extents.begin() + axis, 1);
  return reshape(x, Shape(extents));
}

Tensor flatten(const Tensor& x, int first, int last) {
  check_tensor("flatten", x);
  if (x.rank() == 0) return reshape(x, Shape{1});
  first = checked_axis("flatten", first, x.rank());
  last = checked_axis("flatten", last, x.rank());
  if (first > last)
    fail("flatten", fmt::format("axis {} comes after axis {} of {}", first, last, describe(x)));
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis > first && axis <= last)
      extents.back() *= x.size(axis);
    else
      extents.push_back(x.size(axis));
  }
  return reshape(x, Shape(extents));
}

Tensor move_axis(const Tensor& x, int from, int to) {
  check_tensor("move_axis", x);
  from = checked_axis("move_axis", from, x.rank());
  to = checked_axis("move_axis", to, x.rank());
  Axes axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (axis != from) axes.push_back(axis);
  axes.insert(axes.begin() + to, from);
  return permute(x, axes);
}

Tensor pad_constant(const Tensor& x, const std::vector<std::int64_t>& lo,
                    const std::vector<std::int64_t>& hi, double value) {
  check_tensor("pad_constant", x);
  const Tensor padded = pad(x, lo, hi);
  if (value == 0 || padded.shape() == x.shape()) return padded;
  const Tensor inside = pad(ones(x.shape(), DType::boolean), lo, hi);
  return where(inside, padded, lit(padded, value));
}

Tensor linspace(double low, double high, std::int64_t count, DType dtype) {
  if (!is_floating(dtype))
    fail("linspace", fmt::format("makes floating tensors, not {}", name(dtype)));
  if (count < 1) fail("linspace", fmt::format("needs at least 1 number, got {}", count));
  if (count == 1) return full({1}, low, dtype);
  // From both ends, so that the last number is exactly `high`.
  const Tensor index = arange(count, dtype);
  const double step = (high - low) / static_cast<double>(count - 1);
  const Tensor from_low = fma(index, lit(index, step), lit(index, low));
  const Tensor left = subtract(lit(index, static_cast<double>(count - 1)), index);
  const Tensor from_high = fma(left, lit(index, -step), lit(index, high));
  return where(less(index, lit(index, static_cast<double>(count) / 2)), from_low, from_high);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes) {
  if (axes.empty()) fail("meshgrid", "needs at least one tensor");
  std::vector<std::int64_t> extents;
  for (const Tensor& axis : axes) {
    check_tensor("meshgrid", axis);
    if (axis.rank() != 1)
      fail("meshgrid", fmt::format("needs 1-D tensors, got {}", describe(axis)));
    extents.push_back(axis.size(0));
  }
  std::vector<Tensor> grids;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    std::vector<std::int64_t> line(axes.size(), 1);
    line[k] = extents[k];
    grids.push_back(broadcast_to(reshape(axes[k], Shape(line)), Shape(extents)));
  }
  return grids;
}

}  // namespace genera
