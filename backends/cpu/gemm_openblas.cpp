#include "backends/cpu/gemm_openblas.h"

#include <cblas.h>

#include <algorithm>
#include <limits>

#include "backends/cpu/rounding.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Tiles large enough that a call's own packing is small beside its work.
constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kTileCols = 512;

struct BlasOperand {
  CBLAS_TRANSPOSE transpose = CblasNoTrans;
  std::int64_t stride = 0;  // leading dimension; 0 where BLAS cannot express the operand
};

BlasOperand blas_operand(const MatrixView& view, std::int64_t rows, std::int64_t cols) {
  const auto fits = [](std::int64_t stride, std::int64_t least) {
    return stride >= std::max<std::int64_t>(least, 1) && stride <= std::numeric_limits<int>::max();
  };
  if (view.col_stride == 1 || cols == 1) {
    const std::int64_t stride = rows == 1 ? std::max(view.row_stride, cols) : view.row_stride;
    if (fits(stride, cols)) return {CblasNoTrans, stride};
  }
  if (view.row_stride == 1 || rows == 1) {
    const std::int64_t stride = cols == 1 ? std::max(view.col_stride, rows) : view.col_stride;
    if (fits(stride, rows)) return {CblasTrans, stride};
  }
  return {};
}

// One call on the calling thread.
void multiply(const Gemm& gemm, std::int64_t batch, std::int64_t row0, std::int64_t rows,
              std::int64_t col0, std::int64_t cols) {
  const BlasOperand a = blas_operand(gemm.a.matrix, gemm.m, gemm.k);
  const BlasOperand b = blas_operand(gemm.b.matrix, gemm.k, gemm.n);
  const MatrixView& av = gemm.a.matrix;
  const MatrixView& bv = gemm.b.matrix;
  cblas_sgemm(CblasRowMajor, a.transpose, b.transpose, static_cast<int>(rows),
              static_cast<int>(cols), static_cast<int>(gemm.k), 1.0f,
              av.data + batch * av.batch_stride + row0 * av.row_stride, static_cast<int>(a.stride),
              bv.data + batch * bv.batch_stride + col0 * bv.col_stride, static_cast<int>(b.stride),
              gemm.accumulate ? 1.0f : 0.0f,
              gemm.c.data + batch * gemm.c.batch_stride + row0 * gemm.c.row_stride + col0,
              static_cast<int>(gemm.c.row_stride));
}

}  // namespace

bool openblas_can(const Gemm& gemm) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return gemm.a.packer == nullptr && gemm.b.packer == nullptr && gemm.c.group == 0 &&
         std::max({gemm.m, gemm.n, gemm.k, gemm.c.row_stride}) <= kMost &&
         (gemm.m == 1 || gemm.c.row_stride >= gemm.n) &&
         blas_operand(gemm.a.matrix, gemm.m, gemm.k).stride > 0 &&
         blas_operand(gemm.b.matrix, gemm.k, gemm.n).stride > 0;
}

void gemm_openblas(const Gemm& gemm) {
  // Its own threads would give other bits for another number of them.
  static const bool one_thread = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  (void)one_thread;
  const std::int64_t row_tiles = ceil_div(gemm.m, kTileRows);
  const std::int64_t col_tiles = ceil_div(gemm.n, kTileCols);
  parallel_for(gemm.batch * row_tiles * col_tiles, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t batch = i / (row_tiles * col_tiles);
      const std::int64_t row = i / col_tiles % row_tiles;
      const std::int64_t col = i % col_tiles;
      const std::int64_t row0 = row * gemm.m / row_tiles;
      const std::int64_t row1 = (row + 1) * gemm.m / row_tiles;
      const std::int64_t col0 = col * gemm.n / col_tiles;
      const std::int64_t col1 = (col + 1) * gemm.n / col_tiles;
      multiply(gemm, batch, row0, row1 - row0, col0, col1 - col0);
      if (gemm.epilogue != nullptr) gemm.epilogue->run(batch, row0, row1, col0, col1, nullptr);
    }
  });
}

}  // namespace genera::cpu
