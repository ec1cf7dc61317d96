#include "backends/vulkan/recorder.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace genera::vulkan {

Recorder::Recorder(Device& device) : device_(device), staging_(device) {
  VkCommandPoolCreateInfo pool{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  pool.flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = device.queue_family();
  check(device.vk().vkCreateCommandPool(device.handle(), &pool, nullptr, &pool_),
        "vkCreateCommandPool");
  for (Slot& slot : slots_) slot.commands = new_commands();
}

VkCommandBuffer Recorder::new_commands() {
  VkCommandBufferAllocateInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  check(device_.vk().vkAllocateCommandBuffers(device_.handle(), &info, &commands),
        "vkAllocateCommandBuffers");
  return commands;
}

Recorder::~Recorder() {
  device_.wait_idle();
  device_.vk().vkDestroyCommandPool(device_.handle(), pool_, nullptr);
}

void Recorder::throttle(Tick tick) {
  if (tick == 0 || device_.done(tick)) return;
  device_.wait(tick);
  ++counters_.throttles;
}

VkCommandBuffer Recorder::open() {
  if (target_) return target_;
  const Slot& slot = slots_[slot_];
  throttle(slot.tick);
  if (device_.done(device_.latest())) staging_.reset();
  VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  check(device_.vk().vkBeginCommandBuffer(slot.commands, &info), "vkBeginCommandBuffer");
  target_ = slot.commands;
  bound_ = {};
  return target_;
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
  device_.vk().vkCmdPipelineBarrier2(target_, &info);
  if (!to_host) hazards_.clear();
  ++counters_.barriers;
}

/// A barrier where the next command needs one.
void Recorder::order(const std::vector<Access>& accesses) {
  open();
  constexpr std::size_t many = 1024;  // rather a barrier than a longer search
  if (device_.limits().barrier_always || hazards_.size() > many || hazards_.conflict(accesses))
    barrier(false);
  hazards_.note(accesses);
}

/// Records what of this is not bound yet.
void Recorder::bind(const Pipeline& pipeline, std::span<const VkDescriptorBufferInfo> ranges) {
  const VolkDeviceTable& vk = device_.vk();
  if (bound_.pipeline != pipeline.handle())
    vk.vkCmdBindPipeline(target_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.handle());
  const bool same_layout = bound_.layout == pipeline.layout();
  bound_.pipeline = pipeline.handle();
  bound_.layout = pipeline.layout();
  std::array<VkWriteDescriptorSet, most_bindings> writes;
  std::uint32_t count = 0;
  for (std::size_t b = 0; b < ranges.size(); ++b) {
    VkDescriptorBufferInfo& bound = bound_.ranges[b];
    const VkDescriptorBufferInfo& wanted = ranges[b];
    if (same_layout && bound.buffer == wanted.buffer && bound.offset == wanted.offset &&
        bound.range == wanted.range)
      continue;
    bound = wanted;
    VkWriteDescriptorSet& write = writes[count++] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
    write.dstBinding = static_cast<std::uint32_t>(b);
    write.descriptorCount = 1;
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.pBufferInfo = &bound;
  }
  if (count > 0)
    vk.vkCmdPushDescriptorSetKHR(target_, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline.layout(), 0,
                                 count, writes.data());
}

void Recorder::dispatch(const Pipeline& pipeline, std::span<const Binding> bindings,
                        std::uint32_t groups) {
  std::array<VkDescriptorBufferInfo, most_bindings> ranges;
  accesses_.clear();
  for (std::size_t b = 0; b < bindings.size(); ++b) {
    const Binding& binding = bindings[b];
    const Place place = allocator_->place(binding.address);
    // Ranges are whole words: what lies behind the last element of a slice is padding.
    const std::uint64_t bytes = std::max<std::uint64_t>((binding.bytes + 3) / 4 * 4, 4);
    ranges[b] = {place.buffer, place.offset, bytes};
    if (binding.reads) accesses_.push_back({binding.address, bytes, false});
    if (binding.writes) accesses_.push_back({binding.address, bytes, true});
  }
  order(accesses_);
  bind(pipeline, {ranges.data(), bindings.size()});
  device_.vk().vkCmdDispatch(target_, groups, 1, 1);
  ++counters_.dispatches;
}

void Recorder::fill(Address to, std::uint32_t word, std::uint64_t bytes) {
  if (bytes == 0) return;
  accesses_.assign({{to, bytes, true}});
  order(accesses_);
  const Place place = allocator_->place(to);
  device_.vk().vkCmdFillBuffer(target_, place.buffer, place.offset, bytes, word);
}

void Recorder::copy(Address to, Address from, std::uint64_t bytes) {
  if (bytes == 0 || to == from) return;
  accesses_.assign({{from, bytes, false}, {to, bytes, true}});
  order(accesses_);
  const Place source = allocator_->place(from), target = allocator_->place(to);
  const VkBufferCopy region{source.offset, target.offset, bytes};
  device_.vk().vkCmdCopyBuffer(target_, source.buffer, target.buffer, 1, &region);
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
    device_.vk().vkCmdCopyBuffer(target_, staging_.buffer(), place.buffer, 1, &region);
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
    device_.vk().vkCmdCopyBuffer(target_, place.buffer, staging_.buffer(), 1, &region);
    barrier(true);
    finish("a download");
    std::memcpy(target, part.host, part.bytes);
    from += part.bytes;
    target += part.bytes;
    bytes -= part.bytes;
  }
}

void Recorder::hand_over(VkCommandBuffer behind, std::string_view what) {
  std::array<VkCommandBuffer, 2> list;
  std::size_t count = 0;
  if (target_) {
    list[count++] = target_;
    target_ = VK_NULL_HANDLE;
    if (const VkResult result = device_.vk().vkEndCommandBuffer(list[0]); result < 0)
      device_.lost("vkEndCommandBuffer", result);
  }
  if (behind) list[count++] = behind;
  pending_work = 0;
  slots_[slot_].tick = device_.submit({list.data(), count}, what);
  slot_ = (slot_ + 1) % slots_.size();
  ++counters_.submissions;
}

void Recorder::submit(std::string_view what) {
  if (target_) hand_over(VK_NULL_HANDLE, what);
}

void Recorder::record(Recording& recording, const std::function<void()>& record) {
  const VolkDeviceTable& vk = device_.vk();
  if (!recording.commands) recording.commands = new_commands();
  const VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  check(vk.vkBeginCommandBuffer(recording.commands, &info), "vkBeginCommandBuffer");
  const Counters before = counters_;
  const VkCommandBuffer aside = std::exchange(target_, recording.commands);
  const Hazards aside_hazards = hazards_;
  bound_ = {};
  const auto back = [&] {
    target_ = aside;
    bound_ = {};
    recording.hazards = std::exchange(hazards_, aside_hazards);
    recording.dispatches = counters_.dispatches - before.dispatches;
    recording.barriers = counters_.barriers - before.barriers;
    counters_ = before;
  };
  try {
    barrier(false);
    record();
  } catch (...) {
    back();
    vk.vkResetCommandBuffer(recording.commands, 0);
    throw;
  }
  back();
  check(vk.vkEndCommandBuffer(recording.commands), "vkEndCommandBuffer");
  ++counters_.recordings;
  recording.tick = 0;
}

void Recorder::submit(Recording& recording, std::string_view what) {
  hand_over(recording.commands, what);
  if (recording.tick > 0) ++counters_.recordings_kept;
  recording.tick = device_.latest();
  hazards_ = recording.hazards;
  counters_.dispatches += recording.dispatches;
  counters_.barriers += recording.barriers;
}

void Recorder::wait_for(const Recording& recording) {
  throttle(slots_[slot_].tick);
  throttle(recording.tick);
}

void Recorder::release(Recording& recording) {
  if (recording.commands)
    device_.vk().vkFreeCommandBuffers(device_.handle(), pool_, 1, &recording.commands);
  recording = {};
}

void Recorder::finish(std::string_view what) {
  submit(what);
  if (finished_ == device_.latest()) return;
  finished_ = device_.latest();
  ++counters_.waits;  // also where the device happens to be done: counts do not depend on speed
  if (!device_.done(finished_)) device_.wait(finished_);
}

}  // namespace genera::vulkan
