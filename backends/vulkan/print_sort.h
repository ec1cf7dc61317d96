/// Sorts, and sums by index that sort the indices first, as GLSL.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "engine/plan/plan.h"

#include <span>
#include <vector>

namespace genera::vulkan {

/// An ArgSort step: stable, NaN last. Up to 64 elements in a row, each thread counts those before its own; up to 1,024, a workgroup sorts a row. None for longer rows:
/// the host's.
std::vector<Dispatch> print_arg_sort(const PrimitiveStep& step, std::span<const int> same_memory);

/// A ScatterAdd step. Indices are sorted with their positions, workgroup by workgroup, and merged; then every element of the result adds what is meant for its row, in the
/// order of positions: the bits of a loop over all of them.
std::vector<Dispatch> print_scatter(const PrimitiveStep& step, std::span<const int> same_memory);

}  // namespace genera::vulkan
