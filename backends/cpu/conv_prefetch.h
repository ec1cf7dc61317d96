/// Fetching what comes next while the current work computes.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// Brings ranges of memory into L2, some cache lines at a time: images come from L3 or farther, and
/// what copies them into their padding has nothing to do while it waits.
class Prefetch {
 public:
  /// The range is to be fetched after about `steps` calls of step(); not at all where they are too
  /// few, as a burst of fetches delays the work itself.
  void begin(const float* from, std::int64_t floats, std::int64_t steps) {
    begin(from, floats, 1, 0, steps);
  }
  /// The same for `count` ranges, `stride` floats apart.
  void begin(const float* from, std::int64_t floats, std::int64_t count, std::int64_t stride,
             std::int64_t steps) {
    range_ = (floats + kLine - 1) / kLine;
    next_ = from;
    in_range_ = range_;
    skip_ = stride - range_ * kLine;
    left_ = range_ * count;
    lines_ = left_ / (steps > 0 ? steps : 1) + 1;
    if (lines_ > kBurst) left_ = 0;
  }

  void step() {
    for (std::int64_t i = 0; i < lines_ && left_ > 0; ++i, --left_) {
      __builtin_prefetch(next_, 0, 2);
      next_ += kLine;
      if (--in_range_ > 0) continue;
      in_range_ = range_;
      next_ += skip_;
    }
  }

 private:
  static constexpr std::int64_t kLine = 16;   // floats of a cache line
  static constexpr std::int64_t kBurst = 32;  // lines

  const float* next_ = nullptr;
  std::int64_t range_ = 0;     // lines of a range
  std::int64_t in_range_ = 0;  // of the current one that are left
  std::int64_t skip_ = 0;      // floats between ranges
  std::int64_t left_ = 0;
  std::int64_t lines_ = 0;
};

}  // namespace genera::cpu
