/// MatMul steps as calls of the GEMM core.
#pragma once

#include "backends/cpu/primitive_steps.h"

namespace genera::cpu {

/// For an f32 MatMul; inputs may be strided in every axis.
std::unique_ptr<StepRunner> make_matmul_runner(const PrimitiveStep& step);

}  // namespace genera::cpu
