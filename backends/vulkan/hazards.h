/// Which commands must wait for which: byte ranges used since the last barrier.
#pragma once

#include "backends/vulkan/allocator.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace genera::vulkan {

struct Access {
  Address begin;
  std::uint64_t bytes;
  bool writes;
};

class Hazards {
 public:
  /// Whether a command with these accesses must come behind a barrier: something that it writes was read or written, or something that it
  /// reads was written, since clear().
  bool conflict(const std::vector<Access>& accesses) const;
  void note(const std::vector<Access>& accesses);
  void clear();
  std::size_t size() const { return reads_.size() + writes_.size(); }

 private:
  std::vector<Access> reads_, writes_;
};

}  // namespace genera::vulkan
