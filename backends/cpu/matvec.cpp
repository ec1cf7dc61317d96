#include "backends/cpu/matvec.h"

#include <algorithm>

#include "backends/cpu/gemm_core.h"
#include "backends/cpu/matvec_kernels.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Most lines of one task: their sums are on the stack.
constexpr std::int64_t kMaxBlock = 256;
constexpr std::int64_t kDotBlock = 64;
// Below so many multiply-adds a second thread costs more than it gives.
constexpr std::int64_t kSerialWork = 64 * 1024;

// The product seen as: C(line, v) = sum over k of matrix(line, k) x(v, k), few vectors v.
struct Lines {
  const float* matrix = nullptr;
  std::int64_t lines = 0;
  std::int64_t line_stride = 0;
  std::int64_t k_stride = 0;
  std::int64_t matrix_batch = 0;
  const float* x = nullptr;
  std::int64_t vectors = 0;
  std::int64_t vector_stride = 0;
  std::int64_t x_k_stride = 0;
  std::int64_t x_batch = 0;
  std::int64_t c_line_stride = 0;
  std::int64_t c_vector_stride = 0;
  bool lines_are_rows = false;
};

Lines by_lines(const Gemm& gemm) {
  const MatrixView& a = gemm.a.matrix;
  const MatrixView& b = gemm.b.matrix;
  if (gemm.m <= gemm.n) {
    return {b.data,
            gemm.n,
            b.col_stride,
            b.row_stride,
            b.batch_stride,
            a.data,
            gemm.m,
            a.row_stride,
            a.col_stride,
            a.batch_stride,
            1,
            gemm.c.row_stride,
            false};
  }
  return {a.data, gemm.m,       a.row_stride, a.col_stride,   a.batch_stride,    b.data,
          gemm.n, b.col_stride, b.row_stride, b.batch_stride, gemm.c.row_stride, 1,
          true};
}

bool is_dot(const Lines& at, std::int64_t k) {
  return (at.k_stride == 1 || k == 1) && (at.x_k_stride == 1 || k == 1);
}

// Sums of one block of lines to C.
void store(const Gemm& gemm, const Lines& at, std::int64_t batch, std::int64_t line0,
           std::int64_t lines, const float* sums) {
  float* c = gemm.c.data + batch * gemm.c.batch_stride + line0 * at.c_line_stride;
  for (std::int64_t v = 0; v < at.vectors; ++v) {
    float* to = c + v * at.c_vector_stride;
    for (std::int64_t i = 0; i < lines; ++i) {
      float& element = to[i * at.c_line_stride];
      element = gemm.accumulate ? element + sums[v * lines + i] : sums[v * lines + i];
    }
  }
  if (gemm.epilogue == nullptr) return;
  if (at.lines_are_rows) {
    gemm.epilogue->run(batch, line0, line0 + lines, 0, at.vectors);
  } else {
    gemm.epilogue->run(batch, 0, at.vectors, line0, line0 + lines);
  }
}

}  // namespace

bool matvec_can(const Gemm& gemm) {
  if (gemm.a.packer != nullptr || gemm.b.packer != nullptr || gemm.c.group != 0) return false;
  const Lines at = by_lines(gemm);
  if (at.vectors > kMaxVectors) return false;
  return is_dot(at, gemm.k) || (at.vectors == 1 && (at.line_stride == 1 || at.lines == 1));
}

void matvec(const Gemm& gemm) {
  const Lines at = by_lines(gemm);
  const MatvecKernels& kernels = matvec_kernels();
  const bool dots = is_dot(at, gemm.k);
  const std::int64_t block = dots ? kDotBlock : kMaxBlock;
  const std::int64_t blocks = (at.lines + block - 1) / block;
  const auto run = [&](std::int64_t first, std::int64_t last) {
    alignas(64) float sums[kMaxBlock * kMaxVectors];
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t batch = task / blocks;
      const std::int64_t line0 = task % blocks * block;
      const std::int64_t lines = std::min(block, at.lines - line0);
      const float* matrix = at.matrix + batch * at.matrix_batch + line0 * at.line_stride;
      const float* x = at.x + batch * at.x_batch;
      if (dots) {
        kernels.dot(matrix, at.line_stride, lines, x, at.vector_stride, at.vectors, gemm.k, sums);
      } else {
        kernels.weighted_sum(matrix, at.k_stride, lines, x, at.x_k_stride, gemm.k, sums);
      }
      store(gemm, at, batch, line0, lines, sums);
    }
  };
  const std::int64_t tasks = gemm.batch * blocks;
  if (gemm.batch * at.lines * at.vectors * gemm.k < kSerialWork) {
    run(0, tasks);
  } else {
    parallel_for(tasks, run);
  }
}

}  // namespace genera::cpu
