#include "backends/cpu/cpu_report.h"

#include "engine/core/thread_pool.h"

#include <cblas.h>
#include <fmt/format.h>
#include <hwy/highway.h>

namespace genera::cpu {

std::string report() {
  std::string supported, best;
  // Highway gives the better of two targets the lower bit.
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const char* const name = hwy::TargetName(target);
    if (best.empty()) best = name;
    supported += supported.empty() ? name : fmt::format(" {}", name);
  }
  return fmt::format("device cpu\nsimd {}\nsimd_targets {}\nblas {}\nblas_kernels {}\nthreads {}\n",
                     best, supported, openblas_get_config(), openblas_get_corename(),
                     thread_count());
}

}  // namespace genera::cpu
