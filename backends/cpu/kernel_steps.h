/// Runs the steps of a pass over one tile.
///
/// A tile is cut into parts, and each part goes through all steps before the next one begins: while
/// one step computes, the processor already loads what the next ones read, and what a step hands to
/// the next is still in the L1 cache however long the tile is.
#pragma once

#include "backends/cpu/kernel_geometry.h"

#include <cstddef>

namespace genera::cpu {

/// Runs all steps of `pass` on the `n` > 0 elements of a tile. values[v]: where value v of the
/// program lies, for the whole tile, or for one part if it is passing.
void run_steps(const Pass& pass, const Geometry& geometry, void* const* values, std::size_t n);

}  // namespace genera::cpu
