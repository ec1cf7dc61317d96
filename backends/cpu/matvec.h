/// Products with one to four rows or columns on one side: bandwidth-bound, nothing is packed.
#pragma once

#include "backends/cpu/gemm.h"

namespace genera::cpu {

/// Whether matvec() computes the product: plain matrices and C; one of m and n is 1, and the larger
/// matrix is contiguous along one of its axes; or one of them is at most 4, and both matrices are
/// contiguous along k.
bool matvec_can(const Gemm& gemm);

/// Computes a product for which matvec_can() holds. Same contract as gemm().
void matvec(const Gemm& gemm);

}  // namespace genera::cpu
