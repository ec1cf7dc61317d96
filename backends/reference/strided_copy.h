/// Raw copies between strided views, the whole of most movement.
#pragma once

#include "backends/reference/primitives.h"
#include "backends/reference/strided_loop.h"

#include <cstddef>

namespace genera::reference {

/// Where element [0,…] of a view lies and how far apart its neighbours are, in elements.
struct StridedView {
  std::int64_t offset = 0;
  PerAxis strides{};

  /// All of a contiguous tensor.
  explicit StridedView(const Shape& shape) : strides(contiguous_strides(shape)) {}
};

/// to[i…] = from[i…] for each index of `space`; elements have `bytes` bytes (1, 2, 4 or 8).
void copy_strided(const Shape& space, const void* from, const StridedView& from_view, void* to,
                  const StridedView& to_view, std::size_t bytes);

/// The start along each axis from a dynamic start input (i32, one number per axis), clamped so that
/// a slice of shape `slice` lies inside `whole`. Throws ArgumentError for another dtype or count.
PerAxis clamped_start(Op op, const Input& start, const Shape& whole, const Shape& slice);

}  // namespace genera::reference
