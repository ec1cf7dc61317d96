// Matrices as arrangements of numbers: diagonals and triangles.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace genera {
namespace {

/// bool (R,C) of x's last two axes: row + offset < column, or with `diagonal` also equality.
Tensor above(const Tensor& x, int offset, bool diagonal) {
  const Shape shape{x.size(-2), x.size(-1)};
  const Tensor row = add(iota(shape, 0), full(shape, offset, DType::i32));
  const Tensor column = iota(shape, 1);
  return diagonal ? logical_not(less(column, row)) : less(row, column);
}

}  // namespace

Tensor eye(std::int64_t rows, std::int64_t columns, DType dtype) {
  const Shape shape{rows, columns < 0 ? rows : columns};
  return cast(equal(iota(shape, 0), iota(shape, 1)), dtype);
}

Tensor tril(const Tensor& x, int offset) {
  check_rank("tril", x, 2);
  return where(above(x, offset, false), lit(x, 0), x);
}

Tensor triu(const Tensor& x, int offset) {
  check_rank("triu", x, 2);
  return where(above(x, offset, true), x, lit(x, 0));
}

Tensor diagonal(const Tensor& x, int offset) {
  check_rank("diagonal", x, 2);
  const std::int64_t rows = x.size(-2);
  const std::int64_t columns = x.size(-1);
  const std::int64_t row = std::max(0, -offset);
  const std::int64_t column = std::max(0, offset);
  const std::int64_t count = std::max<std::int64_t>(0, std::min(rows - row, columns - column));
  // In the flattened matrix the diagonal is every (columns + 1)th element.
  const Tensor flat = flatten(x, -2, -1);
  std::vector<std::int64_t> start(static_cast<std::size_t>(flat.rank()), 0);
  std::vector<std::int64_t> step(static_cast<std::size_t>(flat.rank()), 1);
  start.back() = count == 0 ? 0 : row * columns + column;
  step.back() = columns + 1;
  return strided_slice(flat, start, flat.shape().with(flat.rank() - 1, count), step);
}

Tensor diag_embed(const Tensor& x, int offset) {
  check_rank("diag_embed", x, 1);
  const std::int64_t n = x.size(-1);
  const std::int64_t side = n + std::abs(offset);
  const auto rank = static_cast<std::size_t>(x.rank());
  const Shape shape = x.shape().with(x.rank() - 1, side).appended(side);
  if (n == 0) return zeros(shape, x.dtype());
  // The reverse of diagonal(): elements side + 1 apart in the flattened matrix.
  std::vector<std::int64_t> lo(rank, 0), hi(rank, 0), interior(rank, 0);
  interior.back() = side;
  lo.back() = offset < 0 ? -offset * side : offset;
  hi.back() = side * side - lo.back() - (n - 1) * (side + 1) - 1;
  return reshape(pad(x, lo, hi, interior), shape);
}

Tensor trace(const Tensor& x) {
  check_rank("trace", x, 2);
  return sum(diagonal(x), {-1});
}

Tensor dot(const Tensor& a, const Tensor& b) {
  check_same_dtype("dot", a, b);
  if (a.rank() != 1 || !(a.shape() == b.shape()))
    fail("dot", fmt::format("needs two 1-D tensors of one length, got {} and {}", describe(a),
                            describe(b)));
  return sum(multiply(a, b));
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_same_dtype("outer", a, b);
  if (a.rank() != 1 || b.rank() != 1)
    fail("outer", fmt::format("needs two 1-D tensors, got {} and {}", describe(a), describe(b)));
  return multiply(unsqueeze(a, 1), unsqueeze(b, 0));
}

}  // namespace genera
