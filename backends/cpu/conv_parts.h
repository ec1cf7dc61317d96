/// Into how many parts, a thread each, a convolution is cut.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/core/thread_pool.h"

namespace genera::cpu {

/// At most as many as there are threads or `tasks`.
inline std::int64_t conv_parts(std::int64_t multiply_adds, std::int64_t tasks) {
  // Below so many a second thread costs more than it gives.
  constexpr std::int64_t serial = 128 * 1024;
  return std::min<std::int64_t>(multiply_adds < serial ? 1 : thread_count(), tasks);
}

}  // namespace genera::cpu
