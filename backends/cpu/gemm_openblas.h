/// OpenBLAS behind the seam of the matrix product: a second engine and an oracle.
#pragma once

#include "backends/cpu/gemm.h"

namespace genera::cpu {

/// Whether cblas_sgemm can express the product: no packers, no groups, one stride of each operand
/// is 1.
bool openblas_can(const Gemm& gemm);

/// Computes a product for which openblas_can() holds, one single-threaded call per tile of a grid
/// that depends on the shape alone.
void gemm_openblas(const Gemm& gemm);

}  // namespace genera::cpu
