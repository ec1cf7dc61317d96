/// Device memory: blocks from the driver, slices of them for tensors.
#pragma once

#include "backends/vulkan/device.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace genera::vulkan {

/// A position in device memory, as arithmetic on addresses sees it. Processors cannot address such numbers: see Allocator.
using Address = std::uint64_t;

/// Where an address lies.
struct Place {
  VkBuffer buffer;
  std::uint64_t offset;
};

/// Best fit within blocks of at least 64 MiB (less where the heap is small), each one buffer and its memory. Slices begin at multiples of `alignment` bytes. Safe to
/// call from any thread.
class Allocator {
 public:
  /// `finish_work` returns when the device is done with everything, before memory is given back to the driver.
  Allocator(Device& device, std::function<void()> finish_work);
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  ~Allocator();

  /// MemoryError when the driver has no more after empty blocks were given back.
  Address allocate(std::uint64_t bytes);
  void release(Address address) noexcept;
  Place place(Address address) const;

  std::uint64_t live_bytes() const { return live_; }
  std::uint64_t block_bytes() const { return taken_; }
  std::uint64_t driver_calls() const { return driver_calls_; }
  /// Changes when an address may lie in another buffer than before.
  std::uint64_t generation() const { return generation_; }
  /// Address and bytes of every slice, and of every part of a block that no slice has.
  void visit(const std::function<void(Address, std::uint64_t, bool used)>& see) const;

  static constexpr std::uint64_t alignment = binding_alignment;  ///< of slices

 private:
  struct Block {
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceMemory memory = VK_NULL_HANDLE;
    std::uint64_t bytes = 0;
    std::map<std::uint64_t, std::uint64_t> free;  // offset -> bytes
    std::map<std::uint64_t, std::uint64_t> used;
  };
  Address take(std::uint64_t bytes);
  Block new_block(std::uint64_t bytes);
  void add_block(std::uint64_t bytes);
  bool give_back_empty();
  void destroy(Block& block);

  Device& device_;
  std::function<void()> finish_work_;
  mutable std::mutex mutex_;
  std::vector<Block> blocks_;  // a number stays a block's own
  std::uint64_t live_ = 0, taken_ = 0, driver_calls_ = 0, generation_ = 0;
};

}  // namespace genera::vulkan
