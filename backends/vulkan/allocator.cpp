#include "backends/vulkan/allocator.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>

namespace genera::vulkan {
namespace {

// Addresses whose upper bits are neither all zero nor all one: a load from one is a fault on every processor with 48 or 57 bits
// of addresses. Block b begins at base + b * span.
constexpr Address base = Address{1} << 60;
constexpr int span_bits = 36;

constexpr std::uint64_t usual_block = std::uint64_t{64} << 20;

std::uint64_t rounded(std::uint64_t bytes) {
  return (std::max<std::uint64_t>(bytes, 1) + Allocator::alignment - 1) / Allocator::alignment *
         Allocator::alignment;
}
std::size_t block_of(Address address) { return (address - base) >> span_bits; }
std::uint64_t offset_of(Address address) {
  return (address - base) & ((std::uint64_t{1} << span_bits) - 1);
}

}  // namespace

Allocator::Allocator(Device& device, std::function<void()> finish_work)
    : device_(device), finish_work_(std::move(finish_work)) {}

Allocator::~Allocator() {
  for (Block& block : blocks_) destroy(block);
}

void Allocator::destroy(Block& block) {
  if (!block.buffer) return;
  device_.vk().vkDestroyBuffer(device_.handle(), block.buffer, nullptr);
  device_.vk().vkFreeMemory(device_.handle(), block.memory, nullptr);
  taken_ -= block.bytes;
  ++generation_;
  block = {};
}

Address Allocator::allocate(std::uint64_t bytes) {
  std::lock_guard lock(mutex_);
  // Room behind a slice for what checks that nobody writes there.
  const std::uint64_t wanted = rounded(bytes) + (device_.limits().red_zones ? alignment : 0);
  Address address = take(wanted);
  if (address == 0) {
    try {
      add_block(wanted);
    } catch (const MemoryError&) {
      if (!give_back_empty()) throw;
      add_block(wanted);
    }
    address = take(wanted);
  }
  live_ += wanted;
  return address;
}

/// 0 where no block has room.
Address Allocator::take(std::uint64_t bytes) {
  std::size_t best_block = 0;
  const std::pair<const std::uint64_t, std::uint64_t>* best = nullptr;
  for (std::size_t b = 0; b < blocks_.size(); ++b)
    for (const auto& range : blocks_[b].free)
      if (range.second >= bytes && (!best || range.second < best->second)) {
        best = &range;
        best_block = b;
      }
  if (!best) return 0;
  Block& block = blocks_[best_block];
  const auto [offset, room] = *best;
  block.free.erase(offset);
  if (room > bytes) block.free[offset + bytes] = room - bytes;
  block.used[offset] = bytes;
  return base + (Address{best_block} << span_bits) + offset;
}

/// A buffer with memory of its own.
Allocator::Block Allocator::new_block(std::uint64_t bytes) {
  Block block;
  block.bytes = bytes;
  block.free[0] = bytes;
  VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  info.size = bytes;
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  const VolkDeviceTable& vk = device_.vk();
  check(vk.vkCreateBuffer(device_.handle(), &info, nullptr, &block.buffer), "vkCreateBuffer");
  try {
    VkMemoryRequirements needs;
    vk.vkGetBufferMemoryRequirements(device_.handle(), block.buffer, &needs);
    VkMemoryAllocateInfo allocation{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
    allocation.allocationSize = needs.size;
    allocation.memoryTypeIndex =
        device_.memory_type(needs.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    const VkResult result =
        vk.vkAllocateMemory(device_.handle(), &allocation, nullptr, &block.memory);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY)
      throw MemoryError(fmt::format(
          "[vulkan] {} has no {} bytes more (vkAllocateMemory gave {}; {} of its {} bytes are in "
          "use here): use smaller batches",
          device_.name(), bytes, result_name(result), live_, device_.limits().heap_bytes));
    check(result, "vkAllocateMemory");
    check(vk.vkBindBufferMemory(device_.handle(), block.buffer, block.memory, 0),
          "vkBindBufferMemory");
  } catch (...) {
    vk.vkDestroyBuffer(device_.handle(), block.buffer, nullptr);
    vk.vkFreeMemory(device_.handle(), block.memory, nullptr);
    throw;
  }
  return block;
}

void Allocator::add_block(std::uint64_t bytes) {
  const Limits& limits = device_.limits();
  if (bytes > limits.allocation_bytes)
    throw MemoryError(fmt::format(
        "[vulkan] {} bytes at once are more than the {} bytes that {} allocates at once: use "
        "smaller batches",
        bytes, limits.allocation_bytes, device_.name()));
  const std::uint64_t left = limits.heap_bytes - std::min(limits.heap_bytes, taken_);
  std::uint64_t size = std::max(bytes, std::min(usual_block, limits.allocation_bytes));
  if (size > left) size = bytes;
  if (size > left)
    throw MemoryError(
        fmt::format("[vulkan] {} bytes more would pass the {} bytes of {} ({} are in use): use "
                    "smaller batches",
                    bytes, limits.heap_bytes, device_.name(), live_));
  Block block = new_block(size);
  ++driver_calls_;
  taken_ += size;
  const auto gone =
      std::find_if(blocks_.begin(), blocks_.end(), [](const Block& b) { return !b.buffer; });
  if (gone != blocks_.end())
    *gone = std::move(block);
  else
    blocks_.push_back(std::move(block));
}

bool Allocator::give_back_empty() {
  bool any = false;
  for (Block& block : blocks_) {
    if (!block.buffer || !block.used.empty()) continue;
    if (!any) finish_work_();
    any = true;
    destroy(block);
  }
  return any;
}

void Allocator::release(Address address) noexcept {
  std::lock_guard lock(mutex_);
  Block& block = blocks_[block_of(address)];
  std::uint64_t offset = offset_of(address);
  const auto slice = block.used.find(offset);
  std::uint64_t bytes = slice->second;
  live_ -= bytes;
  block.used.erase(slice);
  auto next = block.free.lower_bound(offset);
  if (next != block.free.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      offset = before->first;
      bytes += before->second;
      block.free.erase(before);
    }
  }
  if (next != block.free.end() && next->first == offset + bytes) {
    bytes += next->second;
    block.free.erase(next);
  }
  block.free[offset] = bytes;
}

Place Allocator::place(Address address) const {
  std::lock_guard lock(mutex_);
  return {blocks_[block_of(address)].buffer, offset_of(address)};
}

void Allocator::visit(const std::function<void(Address, std::uint64_t, bool)>& see) const {
  std::lock_guard lock(mutex_);
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Address start = base + (Address{b} << span_bits);
    for (const auto& [offset, bytes] : blocks_[b].used) see(start + offset, bytes, true);
    for (const auto& [offset, bytes] : blocks_[b].free) see(start + offset, bytes, false);
  }
}

}  // namespace genera::vulkan
