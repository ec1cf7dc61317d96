/// Fetching what comes next while the current work computes.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// Brings a range of memory into L2, some cache lines at a time: images come from L3 or farther,
/// and what copies them into their padding has nothing to do while it waits.
class Prefetch {
 public:
  /// The range is to be fetched after about `steps` calls of step(); not at all where they are too
  /// few, as a burst of fetches delays the work itself.
  void begin(const float* from, std::int64_t floats, std::int64_t steps) {
    next_ = from;
    left_ = (floats + kLine - 1) / kLine;
    lines_ = left_ / (steps > 0 ? steps : 1) + 1;
    if (lines_ > kBurst) left_ = 0;
  }

  void step() {
    for (std::int64_t i = 0; i < lines_ && left_ > 0; ++i, --left_, next_ += kLine) {
      __builtin_prefetch(next_, 0, 2);
    }
  }

 private:
  static constexpr std::int64_t kLine = 16;   // floats of a cache line
  static constexpr std::int64_t kBurst = 32;  // lines

  const float* next_ = nullptr;
  std::int64_t left_ = 0;
  std::int64_t lines_ = 0;
};

}  // namespace genera::cpu
