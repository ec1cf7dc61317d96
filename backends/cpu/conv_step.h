/// Convolution steps.
#pragma once

#include <memory>

#include "backends/cpu/conv_correlation.h"
#include "backends/cpu/primitive_steps.h"

namespace genera::cpu {

/// Whether make_conv_runner() takes an epilogue for the step.
bool conv_takes_epilogue(const PrimitiveStep& step);

/// For an f32 Conv with contiguous operands, in any role. The epilogue must outlive the runner. A
/// tap that lies in the padding counts as weight * 0, so that an infinite weight gives NaN there
/// (the reference leaves the tap out). Where minimal filtering is faster, infinities and NaNs spread
/// farther: docs/convolution.md.
std::unique_ptr<StepRunner> make_conv_runner(const PrimitiveStep& step,
                                             const ConvEpilogue* epilogue = nullptr);

}  // namespace genera::cpu
