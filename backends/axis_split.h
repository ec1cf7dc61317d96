/// A shape as three extents about an axis.
#pragma once

#include <genera/shape.h>

#include <cstdint>

namespace genera {

/// Extents before, at and after an axis: shape = (outer, extent, inner).
struct AxisSplit {
  std::int64_t outer = 1, extent = 1, inner = 1;
  AxisSplit(const Shape& shape, std::int64_t axis) {
    for (int d = 0; d < shape.rank(); ++d)
      (d < axis ? outer : d > axis ? inner : extent) *= shape[d];
  }
};

}  // namespace genera
