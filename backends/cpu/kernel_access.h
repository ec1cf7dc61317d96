/// Where the elements of a tile lie in a buffer.
#pragma once

#include <genera/shape.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace genera::cpu {

/// An affine map from a flat index (row-major over `extent`) to an element: offset + sum of stride
/// * index. Dimensions that one stride can walk together are merged and those of extent 1 dropped,
/// so that a contiguous tensor has rank 1.
struct IndexMap {
  int rank = 0;
  std::int64_t offset = 0;
  std::array<std::int64_t, Shape::max_rank> extent{};  ///< outermost first
  std::array<std::int64_t, Shape::max_rank> stride{};

  /// Appends a dimension inside all others, merged where possible.
  void append(std::int64_t extent, std::int64_t stride);
  /// Flat index i is element offset + i.
  bool contiguous() const { return rank == 0 || (rank == 1 && stride[0] == 1); }
};

/// A position of a map: element number and how many more flat indices the innermost stride reaches.
struct Position {
  std::array<std::int64_t, Shape::max_rank> index{};
  std::int64_t element = 0;
};
Position locate(const IndexMap& map, std::int64_t flat);

/// Flat indices from `p` that lie in the same innermost run.
inline std::int64_t run_length(const IndexMap& map, const Position& p) {
  const auto last = static_cast<std::size_t>(map.rank - 1);
  return map.extent[last] - p.index[last];
}
/// Moves to the start of the next innermost run; `length` is what was left of this one.
void next_run(const IndexMap& map, Position& p, std::int64_t length);

/// out[i] = element `flat + i` of `base`, elements of 1, 2 or 4 bytes.
void gather(std::size_t element_size, const void* base, const IndexMap& map, std::int64_t flat,
            std::size_t n, void* out);
/// The element of flat + i becomes in[i].
void scatter(std::size_t element_size, void* base, const IndexMap& map, std::int64_t flat,
             std::size_t n, const void* in);

}  // namespace genera::cpu
