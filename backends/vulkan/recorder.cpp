#include "backends/vulkan/recorder.h"

#include <algorithm>
#include <cstring>

namespace genera::vulkan {

Recorder::Recorder(Device& device) : device_(device), staging_(device) {
  VkCommandPoolCreateInfo pool{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = device.queue_family();
  check(device.vk().vkCreateCommandPool(device.handle(), &pool, nullptr, &pool_),
        "vkCreateCommandPool");
  for (Slot& slot : slots_) {
    VkCommandBufferAllocateInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
    info.commandPool = pool_;
    info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
    info.commandBufferCount = 1;
    check(device.vk().vkAllocateCommandBuffers(device.handle(), &info, &slot.commands),
          "vkAllocateCommandBuffers");
  }
}

Recorder::~Recorder() {
  device_.vk().vkDeviceWaitIdle(device_.handle());
  device_.vk().vkDestroyCommandPool(device_.handle(), pool_, nullptr);
}

VkCommandBuffer Recorder::open() {
  Slot& slot = slots_[slot_];
  if (recording_) return slot.commands;
  if (slot.tick > 0 && !device_.done(slot.tick)) {
    device_.wait(slot.tick);
    ++counters_.throttles;
  }
  if (device_.done(device_.latest())) staging_.reset();
  VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  check(device_.vk().vkBeginCommandBuffer(slot.commands, &info), "vkBeginCommandBuffer");
  recording_ = true;
  barrier(false);
  return slot.commands;
}

void Recorder::barrier(bool to_host) {
  VkMemoryBarrier2 all{VK_STRUCTURE_TYPE_MEMORY_BARRIER_2};
  all.srcStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  all.srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT;
  all.dstStageMask = to_host ? VK_PIPELINE_STAGE_2_HOST_BIT : VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  all.dstAccessMask = to_host ? VK_ACCESS_2_HOST_READ_BIT
                              : VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT;
  VkDependencyInfo info{VK_STRUCTURE_TYPE_DEPENDENCY_INFO};
  info.memoryBarrierCount = 1;
  info.pMemoryBarriers = &all;
  device_.vk().vkCmdPipelineBarrier2(slots_[slot_].commands, &info);
  hazards_.clear();
  ++counters_.barriers;
}

/// A barrier where the next command needs one.
void Recorder::order(const std::vector<Access>& accesses) {
  open();
  if (device_.limits().barrier_always || hazards_.conflict(accesses)) barrier(false);
  hazards_.note(accesses);
}

void Recorder::dispatch(const Pipeline& pipeline, std::span<const Binding> bindings,
                        std::uint32_t groups) {
  constexpr std::size_t most = 32;
  std::array<VkDescriptorBufferInfo, most> ranges;
  std::array<VkWriteDescriptorSet, most> writes;
  accesses_.clear();
  for (std::size_t b = 0; b < bindings.size(); ++b) {
    const Binding& binding = bindings[b];
    const Place place = allocator_->place(binding.address);
    // Ranges are whole words: what lies behind the last element of a slice is padding.
    const std::uint64_t bytes = std::max<std::uint64_t>((binding.bytes + 3) / 4 * 4, 4);
    ranges[b] = {place.buffer, place.offset, bytes};
    writes[b] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
    writes[b].dstBinding = static_cast<std::uint32_t>(b);
    writes[b].descriptorCount = 1;
    writes[b].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[b].pBufferInfo = &ranges[b];
    if (binding.reads) accesses_.push_back({binding.address, bytes, false});
    if (binding.writes) accesses_.push_back({binding.address, bytes, true});
  }
  order(accesses_);
  const VkCommandBuffer commands = slots_[slot_].commands;
  const VolkDeviceTable& vk = device_.vk();
  vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle());
  if (!bindings.empty())
    vk.vkCmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout(), 0,
                                 static_cast<std::uint32_t>(bindings.size()), writes.data());
  vk.vkCmdDispatch(commands, groups, 1, 1);
  ++counters_.dispatches;
}

void Recorder::fill(Address to, std::uint32_t word, std::uint64_t bytes) {
  if (bytes == 0) return;
  accesses_.assign({{to, bytes, true}});
  order(accesses_);
  const Place place = allocator_->place(to);
  device_.vk().vkCmdFillBuffer(slots_[slot_].commands, place.buffer, place.offset, bytes, word);
}

void Recorder::copy(Address to, Address from, std::uint64_t bytes) {
  if (bytes == 0 || to == from) return;
  accesses_.assign({{from, bytes, false}, {to, bytes, true}});
  order(accesses_);
  const Place source = allocator_->place(from), target = allocator_->place(to);
  const VkBufferCopy region{source.offset, target.offset, bytes};
  device_.vk().vkCmdCopyBuffer(slots_[slot_].commands, source.buffer, target.buffer, 1, &region);
}

/// Some room in the staging buffer, after waiting for some if need be.
Staging::Part Recorder::stage(std::uint64_t bytes) {
  open();
  Staging::Part part = staging_.take(bytes);
  if (part.bytes > 0) return part;
  finish("an upload");
  open();
  return staging_.take(bytes);
}

void Recorder::upload(Address to, const void* from, std::uint64_t bytes) {
  const auto* source = static_cast<const std::byte*>(from);
  counters_.uploaded += bytes;
  while (bytes > 0) {
    const Staging::Part part = stage(bytes);
    std::memcpy(part.host, source, part.bytes);
    accesses_.assign({{to, part.bytes, true}});
    order(accesses_);
    const Place place = allocator_->place(to);
    const VkBufferCopy region{part.offset, place.offset, part.bytes};
    device_.vk().vkCmdCopyBuffer(slots_[slot_].commands, staging_.buffer(), place.buffer, 1,
                                 &region);
    to += part.bytes;
    source += part.bytes;
    bytes -= part.bytes;
  }
}

void Recorder::download(void* to, Address from, std::uint64_t bytes) {
  auto* target = static_cast<std::byte*>(to);
  counters_.downloaded += bytes;
  while (bytes > 0) {
    const Staging::Part part = stage(bytes);
    accesses_.assign({{from, part.bytes, false}});
    order(accesses_);
    const Place place = allocator_->place(from);
    const VkBufferCopy region{place.offset, part.offset, part.bytes};
    device_.vk().vkCmdCopyBuffer(slots_[slot_].commands, place.buffer, staging_.buffer(), 1,
                                 &region);
    barrier(true);
    finish("a download");
    std::memcpy(target, part.host, part.bytes);
    from += part.bytes;
    target += part.bytes;
    bytes -= part.bytes;
  }
}

void Recorder::submit(std::string_view what) {
  if (!recording_) return;
  Slot& slot = slots_[slot_];
  recording_ = false;
  pending_work = 0;
  hazards_.clear();
  check(device_.vk().vkEndCommandBuffer(slot.commands), "vkEndCommandBuffer");
  slot.tick = device_.submit(slot.commands, what);
  slot_ = (slot_ + 1) % slots_.size();
  ++counters_.submissions;
}

void Recorder::finish(std::string_view what) {
  submit(what);
  if (finished_ == device_.latest()) return;
  finished_ = device_.latest();
  ++counters_.waits;  // also where the device happens to be done: counts do not depend on speed
  if (!device_.done(finished_)) device_.wait(finished_);
}

}  // namespace genera::vulkan
