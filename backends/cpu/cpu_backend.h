/// The CPU backend: fused kernels, matrix products and convolutions in SIMD, everything else by the reference loops.
#pragma once

#include "backends/backend.h"

namespace genera::cpu {

Backend& backend();

}  // namespace genera::cpu
