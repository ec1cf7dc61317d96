/// Index maps: where an element of one tensor lies in another, as affine functions of loop indices. They let movement
/// operations disappear into the loads of a fused kernel.
#pragma once

#include <genera/shape.h>

#include "engine/graph/attributes.h"
#include "engine/graph/primitive.h"
#include "engine/plan/kernel.h"

#include <optional>
#include <vector>

namespace genera {

/// For each axis of a tensor its coordinate as offset + sum_j stride[j] * i_j over the loop dimensions j.
struct IndexMap {
  std::vector<AffineView> axes;
  friend bool operator==(const IndexMap& a, const IndexMap& b);
};

/// Axis d is loop dimension d.
IndexMap identity_map(int rank);

/// True for the operations that only rename elements: their output element is one element of the input.
bool is_view(Op op, std::size_t input_count);

/// The coordinates in a view operation's input, given `map` into its output (`out_shape`); nothing where they are not
/// affine (some reshapes). `extents` are those of the loop dimensions.
std::optional<IndexMap> through_view(Op op, const void* attrs, const Shape& in_shape,
                                     const Shape& out_shape, const IndexMap& map,
                                     std::span<const std::int64_t> extents);

/// The element number in a contiguous tensor of `shape`.
AffineView flatten(const IndexMap& map, const Shape& shape);

}  // namespace genera
