/// Memory of products and convolutions for what they pack, add up and hand on.
#pragma once

#include <cstdint>

#include "backends/cpu/rounding.h"

namespace genera::cpu {

/// Grow-only scratch of the calling thread, aligned to 64 bytes, valid until this thread's next
/// call. Throws MemoryError.
float* thread_scratch(std::int64_t floats);

/// `floats` in whole cache lines, on which parts of scratch begin.
constexpr std::int64_t whole_lines(std::int64_t floats) { return round_up(floats, 16); }

/// `floats` in whole pages: each thread's share starts on a page of its own.
constexpr std::int64_t whole_pages(std::int64_t floats) { return round_up(floats, 1024); }

}  // namespace genera::cpu
