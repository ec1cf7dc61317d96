#include "backends/cpu/gemm.h"

#include <fmt/format.h>
#include <genera/error.h>

#include <array>
#include <cstddef>

#include "backends/cpu/gemm_core.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/gemm_openblas.h"
#include "backends/cpu/matvec.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// The known-answer test: small integers, so that the sum is exact in any order. Odd sizes that use
// full and partial tiles of every target, all four combinations of transposes.
class SelfTest {
 public:
  static constexpr int kM = 31;
  static constexpr int kN = 67;
  static constexpr int kK = 41;

  SelfTest() {
    for (int i = 0; i < kM; ++i) {
      for (int k = 0; k < kK; ++k) {
        a_[i * kK + k] = a_turned_[k * kM + i] = float((i * 7 + k * 3) % 11 - 5);
      }
    }
    for (int k = 0; k < kK; ++k) {
      for (int j = 0; j < kN; ++j) {
        b_[k * kN + j] = b_turned_[j * kK + k] = float((k * 5 + j * 2) % 13 - 6);
      }
    }
    for (int i = 0; i < kM; ++i) {
      for (int k = 0; k < kK; ++k) {
        for (int j = 0; j < kN; ++j) want_[i * kN + j] += a_[i * kK + k] * b_[k * kN + j];
      }
    }
  }

  bool passes(void (*multiply)(const Gemm&)) {
    for (int turned = 0; turned < 4; ++turned) {
      Gemm gemm;
      gemm.m = kM;
      gemm.n = kN;
      gemm.k = kK;
      gemm.a.matrix =
          turned & 1 ? MatrixView{a_turned_.data(), 1, kM} : MatrixView{a_.data(), kK, 1};
      gemm.b.matrix =
          turned & 2 ? MatrixView{b_turned_.data(), 1, kK} : MatrixView{b_.data(), kN, 1};
      gemm.c = {.data = got_.data(), .row_stride = kN};
      got_.fill(-1.0f);
      multiply(gemm);
      if (got_ != want_) return false;
    }
    return true;
  }

 private:
  std::array<float, std::size_t{kM} * kK> a_{}, a_turned_{};
  std::array<float, std::size_t{kK} * kN> b_{}, b_turned_{};
  std::array<float, std::size_t{kM} * kN> want_{}, got_{};
};

void check_own() {
  static const bool right = SelfTest().passes(gemm_own);
  if (!right) {
    throw DeviceError(
        fmt::format("[gemm] the self-test found wrong numbers with SIMD target {}: "
                    "this processor or its emulation cannot be used",
                    gemm_kernels().target));
  }
}

// C of a product over no k at all.
void clear(const Gemm& gemm) {
  const std::int64_t group = gemm.c.group == 0 ? gemm.n : gemm.c.group;
  for (std::int64_t i = 0; i < gemm.batch; ++i) {
    for (std::int64_t m = 0; m < gemm.m && !gemm.accumulate; ++m) {
      float* row = gemm.c.data + i * gemm.c.batch_stride + m * gemm.c.row_stride;
      for (std::int64_t n = 0; n < gemm.n; ++n) {
        row[n / group * gemm.c.group_stride + n % group] = 0.0f;
      }
    }
    if (gemm.epilogue != nullptr) gemm.epilogue->run(i, 0, gemm.m, 0, gemm.n, nullptr);
  }
}

// Measured on a processor with AVX-512: the own core reaches 92 % of peak with AVX-512 and with
// AVX2, at 512 cubed; an OpenBLAS older than the processor takes its SSE3 kernels, 16 to 20 %.
// Without fused multiply-add the own core has 10 % (SSE4), without SIMD 4 %.
bool prefers_openblas(const Gemm& gemm) {
  return gemm.engine == GemmEngine::openblas ||
         (gemm.engine == GemmEngine::automatic && !gemm_kernels().fused);
}

}  // namespace

bool openblas_works() {
  static const bool works = SelfTest().passes(gemm_openblas);
  return works;
}

void gemm(const Gemm& gemm) {
  if (gemm.m < 0 || gemm.n < 0 || gemm.k < 0 || gemm.batch < 0 || gemm.c.group < 0) {
    throw ArgumentError(
        fmt::format("[gemm] sizes must not be negative, got m {} n {} k {} batch {} group {}",
                    gemm.m, gemm.n, gemm.k, gemm.batch, gemm.c.group));
  }
  if (gemm.m == 0 || gemm.n == 0 || gemm.batch == 0) return;
  if (gemm.k == 0) return clear(gemm);
  check_own();
  if (prefers_openblas(gemm) && openblas_can(gemm) && openblas_works()) {
    return gemm_openblas(gemm);
  }
  if (matvec_can(gemm)) return matvec(gemm);
  gemm_own(gemm);
}

}  // namespace genera::cpu
