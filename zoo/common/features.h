/// Vectors of numbers that stand for images, or are points themselves.
#pragma once

#include <cstdint>
#include <vector>

namespace genera::zoo {

/// (count,size), row-major.
struct Features {
  std::int64_t count = 0;
  std::int64_t size = 0;
  std::vector<float> values;
};

}  // namespace genera::zoo
