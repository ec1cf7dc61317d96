/// Factorisations and triangular solves of small matrices as GLSL.
#pragma once

#include "backends/vulkan/dispatch.h"
#include "engine/plan/plan.h"

#include <span>
#include <vector>

namespace genera::vulkan {

/// The dispatch of an LU, TriSolve or Cholesky step on matrices of up to 64 x 64, one workgroup per matrix (and per 64 columns of right-hand sides), in f32 and in the
/// reference's order of operations; none for larger ones and for every other primitive.
std::vector<Dispatch> print_linear_algebra(const PrimitiveStep& step,
                                           std::span<const int> same_memory);

}  // namespace genera::vulkan
