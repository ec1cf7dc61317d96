/// Primitives that move, index, scan and sort, as GLSL: what the planner leaves over.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "engine/plan/plan.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace genera::vulkan {

/// The dispatches of the step; none where the host must run it: sorts of more than 1,024 elements, matrices to factor or solve of more than 64 x 64, a maximum over
/// nothing, and every other primitive. What adds does so in a fixed order.
std::vector<Dispatch> print_movement(const PrimitiveStep& step, std::span<const int> same_memory);

/// Gather and ScatterAdd read indices that may lie outside. Then the dispatch that looks for the first such one and writes two words of the status memory from `offset`
/// on: its position + 1 (0: there is none), and the index.
std::optional<Dispatch> print_check(const PrimitiveStep& step, std::int64_t offset,
                                    std::span<const int> same_memory);

/// The message for what a check wrote.
std::string bad_index(const PrimitiveStep& step, std::uint32_t position, std::int32_t index);

}  // namespace genera::vulkan
