#include "backends/cpu/scratch.h"

#include <fmt/format.h>
#include <genera/error.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>

namespace genera::cpu {
namespace {

constexpr std::int64_t kHugePage = 2 * 1024 * 1024;

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};

}  // namespace

float* thread_scratch(std::int64_t floats) {
  thread_local std::unique_ptr<float, Free> memory;
  thread_local std::int64_t size = 0;
  if (floats <= size && memory != nullptr) return memory.get();
  const std::int64_t bytes = floats * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const std::int64_t rounded = round_up(bytes, alignment);
  memory.reset();
  size = 0;
  memory.reset(static_cast<float*>(
      std::aligned_alloc(static_cast<std::size_t>(alignment), static_cast<std::size_t>(rounded))));
  if (memory == nullptr) {
    throw MemoryError(fmt::format("[cpu] no memory for {} bytes of scratch", rounded));
  }
  if (alignment == kHugePage) {
    madvise(memory.get(), static_cast<std::size_t>(rounded), MADV_HUGEPAGE);
  }
  size = rounded / static_cast<std::int64_t>(sizeof(float));
  return memory.get();
}

}  // namespace genera::cpu
