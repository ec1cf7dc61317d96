#include "backends/cpu/matvec.h"

#include <algorithm>
#include <vector>

#include "backends/cpu/matvec_kernels.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Below so many multiply-adds a second thread costs more than it gives.
constexpr std::int64_t kSerialWork = 64 * 1024;

// The product seen as: C(line) = sum over k of matrix(line, k) x(k).
struct Lines {
  const float* matrix = nullptr;
  std::int64_t lines = 0;
  std::int64_t line_stride = 0;
  std::int64_t k_stride = 0;
  std::int64_t matrix_batch = 0;
  const float* x = nullptr;
  std::int64_t x_k_stride = 0;
  std::int64_t x_batch = 0;
  std::int64_t c_line_stride = 0;
  bool lines_are_rows = false;
};

Lines by_lines(const Gemm& gemm) {
  const MatrixView& a = gemm.a.matrix;
  const MatrixView& b = gemm.b.matrix;
  if (gemm.m == 1) {
    return {
        b.data,         gemm.n, b.col_stride, b.row_stride, b.batch_stride, a.data, a.col_stride,
        a.batch_stride, 1,      false};
  }
  return {a.data, gemm.m,       a.row_stride,   a.col_stride,      a.batch_stride,
          b.data, b.row_stride, b.batch_stride, gemm.c.row_stride, true};
}

// x of one batch entry, contiguous.
const float* contiguous_x(const Lines& at, std::int64_t batch, std::int64_t k) {
  const float* x = at.x + batch * at.x_batch;
  if (at.x_k_stride == 1 || k <= 1) return x;
  thread_local std::vector<float> copy;  // grows only
  if (copy.size() < static_cast<std::size_t>(k)) copy.resize(static_cast<std::size_t>(k));
  for (std::int64_t i = 0; i < k; ++i) copy[static_cast<std::size_t>(i)] = x[i * at.x_k_stride];
  return copy.data();
}

// Sums of one block of lines to C.
void store(const Gemm& gemm, const Lines& at, std::int64_t batch, std::int64_t line0,
           std::int64_t lines, const float* sums) {
  float* c = gemm.c.data + batch * gemm.c.batch_stride + line0 * at.c_line_stride;
  for (std::int64_t i = 0; i < lines; ++i) {
    float& element = c[i * at.c_line_stride];
    element = gemm.accumulate ? element + sums[i] : sums[i];
  }
  if (gemm.epilogue == nullptr) return;
  if (at.lines_are_rows) {
    gemm.epilogue->run(batch, line0, line0 + lines, 0, 1, nullptr);
  } else {
    gemm.epilogue->run(batch, 0, 1, line0, line0 + lines, nullptr);
  }
}

}  // namespace

bool matvec_can(const Gemm& gemm) {
  return gemm.a.packer == nullptr && gemm.b.packer == nullptr && gemm.c.group == 0 &&
         (gemm.m == 1 || gemm.n == 1);
}

void matvec(const Gemm& gemm) {
  const Lines at = by_lines(gemm);
  const MatvecKernels& kernels = matvec_kernels();
  const bool dots = at.k_stride == 1 || gemm.k <= 1;
  const std::int64_t blocks = (at.lines + kMatvecBlock - 1) / kMatvecBlock;
  const auto run = [&](std::int64_t first, std::int64_t last) {
    alignas(64) float sums[kMatvecBlock];
    std::int64_t x_of = -1;
    const float* x = nullptr;
    for (std::int64_t task = first; task < last; ++task) {
      const std::int64_t batch = task / blocks;
      if (batch != x_of) x = contiguous_x(at, x_of = batch, gemm.k);
      const std::int64_t line0 = task % blocks * kMatvecBlock;
      const std::int64_t lines = std::min(kMatvecBlock, at.lines - line0);
      const float* matrix = at.matrix + batch * at.matrix_batch + line0 * at.line_stride;
      if (dots) {
        kernels.dot(matrix, at.line_stride, lines, x, gemm.k, sums);
      } else {
        kernels.weighted_sum(matrix, at.k_stride, at.line_stride, lines, x, gemm.k, sums);
      }
      store(gemm, at, batch, line0, lines, sums);
    }
  };
  const std::int64_t tasks = gemm.batch * blocks;
  if (gemm.batch * at.lines * gemm.k < kSerialWork) {
    run(0, tasks);
  } else {
    parallel_for(tasks, run);
  }
}

}  // namespace genera::cpu
