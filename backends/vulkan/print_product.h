/// Matrix products and convolutions as GLSL: one tiled kernel, for which only the loaders and the place of the results differ.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "backends/vulkan/tiles.h"
#include "engine/plan/plan.h"

#include <span>
#include <vector>

namespace genera::vulkan {

/// The dispatches of a MatMul or Conv step in any role, its kernel as the epilogue where it has one. Each element is one chain of fused multiply-adds in the order of k;
/// where there are few elements and k is long, it is cut into chunks, by the shape alone, whose sums are added in order. Convolutions are implicit products;
/// a tap that lies in the padding counts as weight * 0. DeviceError for sizes that shaders cannot count.
std::vector<Dispatch> print_product(const PlanStep& step, std::span<const int> same_memory,
                                    const Tiles& tiles, const Limits& limits);

/// Whether print_product() takes a kernel with the step.
bool takes_epilogue(const PrimitiveStep& step);

}  // namespace genera::vulkan
