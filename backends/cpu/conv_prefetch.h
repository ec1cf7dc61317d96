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
    begin(from, floats, 1, 0, steps);
  }
  /// The same for `ranges` ranges, `stride` floats from one to the next.
  void begin(const float* from, std::int64_t floats, std::int64_t ranges, std::int64_t stride,
             std::int64_t steps) {
    from_ = from;
    stride_ = stride;
    range_lines_ = (floats + kLine - 1) / kLine;
    line_ = 0;
    left_ = ranges * range_lines_;
    lines_ = left_ / (steps > 0 ? steps : 1) + 1;
    if (lines_ > kBurst) left_ = 0;
  }

  void step() {
    for (std::int64_t i = 0; i < lines_ && left_ > 0; ++i, --left_) {
      __builtin_prefetch(from_ + line_ * kLine, 0, 2);
      if (++line_ < range_lines_) continue;
      line_ = 0;
      from_ += stride_;
    }
  }

 private:
  static constexpr std::int64_t kLine = 16;   // floats of a cache line
  static constexpr std::int64_t kBurst = 32;  // lines

  const float* from_ = nullptr;
  std::int64_t stride_ = 0;
  std::int64_t range_lines_ = 0;
  std::int64_t line_ = 0;  // of the current range
  std::int64_t left_ = 0;
  std::int64_t lines_ = 0;
};

}  // namespace genera::cpu
