/// Products with one row or one column: bandwidth-bound, nothing is packed.
#pragma once

#include "backends/cpu/gemm.h"

namespace genera::cpu {

/// Whether matvec() computes the product: plain matrices and C, and one of m and n is 1. Only the shape decides, so that
/// the bits do not depend on how the operands lie in memory.
bool matvec_can(const Gemm& gemm);

/// Computes a product for which matvec_can() holds. Same contract as gemm().
void matvec(const Gemm& gemm);

}  // namespace genera::cpu
