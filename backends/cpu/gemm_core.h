/// The own engine of the matrix product: packed panels, one tile kernel, tasks on the thread pool.
#pragma once

#include "backends/cpu/gemm.h"

namespace genera::cpu {

/// Computes a product with m, n, k, batch > 0 by the own core.
void gemm_own(const Gemm& gemm);

}  // namespace genera::cpu
