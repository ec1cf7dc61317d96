/// MatMul steps as calls of the GEMM core.
#pragma once

#include "backends/cpu/primitive_steps.h"

namespace genera::cpu {

class GemmEpilogue;

/// For an f32 MatMul; inputs may be strided in every axis. An epilogue, for a product without batch axes, must outlive the runner.
std::unique_ptr<StepRunner> make_matmul_runner(const PrimitiveStep& step,
                                               const GemmEpilogue* epilogue = nullptr);

}  // namespace genera::cpu
