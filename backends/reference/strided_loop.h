/// Nested loops over an index space in which N operands walk along with strides of their own.
#pragma once

#include <genera/shape.h>

#include "engine/graph/attributes.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>

namespace genera::reference {

/// Element strides of a contiguous row-major tensor.
inline PerAxis contiguous_strides(const Shape& shape) {
  PerAxis strides{};
  std::int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[static_cast<std::size_t>(d)] = stride;
    stride *= shape[d];
  }
  return strides;
}

/// Loops in row-major order unless told otherwise. Axes of extent 1 are dropped and neighbours that
/// all operands walk as one are merged, so that rows are long.
template <std::size_t N>
class StridedLoop {
 public:
  using Offsets = std::array<std::int64_t, N>;

  StridedLoop(const Shape& space, const std::array<PerAxis, N>& strides) {
    for (int d = 0; d < space.rank(); ++d) {
      if (space[d] == 0) empty_ = true;
      if (space[d] == 1) continue;
      Axis axis{space[d], {}};
      for (std::size_t n = 0; n < N; ++n) axis.step[n] = strides[n][static_cast<std::size_t>(d)];
      append(axis);
    }
    if (rank_ == 0) axes_[rank_++] = Axis{1, {}};
  }

  /// Makes the innermost of the long axes the row if rows are very short. For bodies whose order
  /// does not matter.
  void lengthen_rows() {
    constexpr std::int64_t short_row = 8;
    Axis& row = axes_[rank_ - 1];
    for (std::size_t d = rank_ - 1; d-- > 0 && row.extent <= short_row;)
      if (axes_[d].extent >= 4 * row.extent) std::swap(row, axes_[d]);
  }

  /// Walks in tiles if one operand is contiguous along another axis than the row: each cache line
  /// of it is then used up before it is evicted. For bodies whose order does not matter.
  void tile(std::size_t operand) {
    const std::size_t row = rank_ - 1;
    if (std::abs(axes_[row].step[operand]) <= 1) return;
    for (std::size_t d = 0; d < row; ++d) {
      if (axes_[d].step[operand] != 1) continue;
      std::rotate(axes_.begin() + static_cast<std::ptrdiff_t>(d),
                  axes_.begin() + static_cast<std::ptrdiff_t>(d) + 1,
                  axes_.begin() + static_cast<std::ptrdiff_t>(row));
      row_block_ = tile_extent;
      return;
    }
  }

  /// Calls body(offsets, count, steps) for each row: operand n visits offsets[n] + i*steps[n] for i
  /// in [0, count).
  template <class Body>
  void for_each_row(Offsets offsets, const Body& body) const {
    if (empty_) return;
    const Axis& row = axes_[rank_ - 1];
    const std::int64_t block = row_block_ > 0 ? row_block_ : row.extent;
    for (std::int64_t begin = 0; begin < row.extent; begin += block) {
      for_each_block(offsets, std::min(block, row.extent - begin), body);
      for (std::size_t n = 0; n < N; ++n) offsets[n] += block * row.step[n];
    }
  }

 private:
  static constexpr std::int64_t tile_extent = 32;

  struct Axis {
    std::int64_t extent;
    Offsets step;
  };

  /// All outer axes around the first `count` elements of the row.
  template <class Body>
  void for_each_block(Offsets offsets, std::int64_t count, const Body& body) const {
    const std::size_t outer = rank_ - 1;
    std::array<std::int64_t, Shape::max_rank> index{};
    for (;;) {
      body(std::as_const(offsets), count, axes_[outer].step);
      std::size_t d = outer;
      for (; d > 0; --d) {
        const Axis& axis = axes_[d - 1];
        for (std::size_t n = 0; n < N; ++n) offsets[n] += axis.step[n];
        if (++index[d - 1] < axis.extent) break;
        for (std::size_t n = 0; n < N; ++n) offsets[n] -= axis.step[n] * axis.extent;
        index[d - 1] = 0;
      }
      if (d == 0) return;
    }
  }

  void append(const Axis& axis) {
    if (rank_ > 0) {
      Axis& last = axes_[rank_ - 1];
      bool mergeable = true;
      for (std::size_t n = 0; n < N; ++n)
        mergeable = mergeable && last.step[n] == axis.step[n] * axis.extent;
      if (mergeable) {
        last = Axis{last.extent * axis.extent, axis.step};
        return;
      }
    }
    axes_[rank_++] = axis;
  }

  std::array<Axis, Shape::max_rank> axes_{};
  std::size_t rank_ = 0;
  std::int64_t row_block_ = 0;  ///< 0: whole rows
  bool empty_ = false;
};

}  // namespace genera::reference
