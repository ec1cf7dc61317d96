// Sorting and indexing along an axis.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <limits>

namespace genera {
namespace {

/// A tensor with one axis moved to the end, seen as rows (R,n), and how to come back.
struct Rows {
  Tensor moved;  ///< (…,n)
  int axis;

  Tensor flat() const { return reshape(moved, Shape{moved.elements()}); }
  /// Undoes the move, for a tensor of the rows' shape whose last axis may have another extent.
  Tensor back(const Tensor& x) const { return move_axis(x, -1, axis); }
};

Rows rows_of(const Tensor& x, int axis) { return {move_axis(x, axis, -1), axis}; }

void check_indices(std::string_view function, const Tensor& x, const Tensor& indices) {
  check_tensor(function, x);
  check_tensor(function, indices);
  if (indices.dtype() != DType::i32)
    fail(function, fmt::format("indices must be i32, got {}", describe(indices)));
  if (indices.rank() != x.rank())
    fail(function, fmt::format("indices need the rank of x: x is {}, indices are {}", describe(x),
                               describe(indices)));
  if (x.elements() > std::numeric_limits<std::int32_t>::max())
    fail(function, fmt::format("{} has more elements than i32 can address", describe(x)));
}

/// Positions in the flattened rows of extent n that `indices` (…,k) mean; -1, which the plan
/// refuses, for one outside its row.
Tensor flat_positions(const Tensor& indices, std::int64_t n) {
  const std::int64_t k = indices.size(-1);
  const std::int64_t rows = k == 0 ? 0 : indices.elements() / k;
  const Tensor index = reshape(indices, Shape{rows, k});
  const Tensor row = iota(Shape{rows, 1}, 0);
  const Tensor start = multiply(row, lit(row, static_cast<double>(n)));
  const Tensor inside =
      logical_and(less(lit(index, -1), index), less(index, lit(index, static_cast<double>(n))));
  const Tensor position = where(inside, add(index, start), lit(index, -1));
  return reshape(position, Shape{indices.elements()});
}

/// Broadcasts all axes but the last of both to one batch.
void align_batch(std::string_view function, Tensor& x, Tensor& indices) {
  const Shape batch = broadcast_shape(function, x.shape().with(x.rank() - 1, 1),
                                      indices.shape().with(x.rank() - 1, 1));
  x = broadcast_to(x, batch.with(x.rank() - 1, x.size(-1)));
  indices = broadcast_to(indices, batch.with(x.rank() - 1, indices.size(-1)));
}

Tensor scatter_along(std::string_view function, bool accumulate, const Tensor& x,
                     const Tensor& indices, const Tensor& values, int axis) {
  check_indices(function, x, indices);
  check_same_dtype(function, x, values);
  axis = checked_axis(function, axis, x.rank());
  if (!(indices.shape().with(axis, 1) == x.shape().with(axis, 1)))
    fail(function, fmt::format("indices {} must have the extents of x {} outside axis {}",
                               describe(indices), describe(x), axis));
  const Rows rows = rows_of(x, axis);
  const Tensor positions = flat_positions(move_axis(indices, axis, -1), x.size(axis));
  const Tensor spread = move_axis(broadcast_to(values, indices.shape()), axis, -1);
  const Tensor updates = reshape(spread, positions.shape());
  const Tensor flat = accumulate ? scatter_add(rows.flat(), positions, updates)
                                 : scatter_set(rows.flat(), positions, updates);
  return rows.back(reshape(flat, rows.moved.shape()));
}

}  // namespace

Tensor sort(const Tensor& x, int axis, bool descending) {
  check_tensor("sort", x);
  axis = checked_axis("sort", axis, x.rank());
  return take_along_axis(x, argsort(descending ? reversed_order(x) : x, axis), axis);
}

std::pair<Tensor, Tensor> top_k(const Tensor& x, std::int64_t k, int axis) {
  check_tensor("top_k", x);
  axis = checked_axis("top_k", axis, x.rank());
  if (k < 0 || k > x.size(axis))
    fail("top_k", fmt::format("cannot take {} of the {} elements along axis {} of {}", k,
                              x.size(axis), axis, describe(x)));
  const Tensor indices = slice(argsort(reversed_order(x), axis), axis, 0, k);
  return {take_along_axis(x, indices, axis), indices};
}

Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis) {
  check_indices("take_along_axis", x, indices);
  axis = checked_axis("take_along_axis", axis, x.rank());
  Rows rows = rows_of(x, axis);
  Tensor index = move_axis(indices, axis, -1);
  align_batch("take_along_axis", rows.moved, index);
  const Tensor flat = gather(rows.flat(), flat_positions(index, x.size(axis)));
  return rows.back(reshape(flat, index.shape()));
}

Tensor put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values, int axis) {
  return scatter_along("put_along_axis", false, x, indices, values, axis);
}

Tensor scatter_add_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values,
                              int axis) {
  return scatter_along("scatter_add_along_axis", true, x, indices, values, axis);
}

Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype) {
  check_tensor("one_hot", indices);
  if (!is_integer(indices.dtype()))
    fail("one_hot", fmt::format("indices must be integers, got {}", describe(indices)));
  if (classes < 1) fail("one_hot", fmt::format("needs at least 1 class, got {}", classes));
  return cast(equal(unsqueeze(cast(indices, DType::i32), -1), arange(classes)), dtype);
}

Tensor embedding(const Tensor& indices, const Tensor& weight) {
  check_tensor("embedding", weight);
  check_tensor("embedding", indices);
  if (weight.rank() != 2 || indices.dtype() != DType::i32)
    fail("embedding", fmt::format("needs i32 indices and weight (V,D), got {} and {}",
                                  describe(indices), describe(weight)));
  return gather(weight, indices, 0);
}

}  // namespace genera
