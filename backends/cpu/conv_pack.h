/// The weights of convolution in the roles `out` and `grad_input`, as the tile kernels read them.
#pragma once

#include <cstdint>

#include "backends/cpu/conv_plan.h"

namespace genera::cpu {

/// Floats of scratch that each of `parts` threads of pack_weights needs.
std::int64_t pack_scratch(const CorrelationPlan& plan);

/// Packs all weights: for each group, phase and panel [k][panel.width], with k = (source channel,
/// tap of the phase); with CorrelationLanes::taps, for each group and panel [source
/// channel][width]. `scratch` holds `parts` shares that lie `share` floats apart.
void pack_weights(const CorrelationPlan& plan, const float* weights, std::int64_t parts,
                  float* scratch, std::int64_t share, float* packed);

}  // namespace genera::cpu
