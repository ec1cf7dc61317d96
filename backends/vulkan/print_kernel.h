/// The planner's fused loop nests as GLSL: the Map and Reduce families.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "engine/plan/plan.h"

#include <span>
#include <vector>

namespace genera::vulkan {

/// The dispatches that run the kernel, in their order. `same_memory[b]` is the buffer in whose memory buffer b of the plan lies. A reduction
/// over R elements for each of K kept indices takes, by K and R alone: a thread per kept index; a workgroup per kept index;
/// or, where K is small and R large, workgroups for chunks of R whose results a second dispatch joins. DeviceError for element types or sizes that
/// shaders cannot hold.
std::vector<Dispatch> print_kernel(const KernelStep& step, std::span<const int> same_memory,
                                   const Limits& limits);

/// A primitive that is computed element by element, or reduces, as a kernel of its own; empty code for other primitives.
KernelStep kernel_of(const PrimitiveStep& step);

}  // namespace genera::vulkan
