/// Convolution steps.
#pragma once

#include <memory>

#include "backends/cpu/primitive_steps.h"

namespace genera::cpu {

/// For an f32 Conv with contiguous operands, in any role. A tap that lies in the padding counts as
/// weight * 0, so that an infinite weight gives NaN there (the reference leaves the tap out).
std::unique_ptr<StepRunner> make_conv_runner(const PrimitiveStep& step);

}  // namespace genera::cpu
