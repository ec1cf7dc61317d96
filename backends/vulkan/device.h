/// One Vulkan device with one queue.
#pragma once

#include <genera/device.h>

#include "backends/vulkan/instance.h"
#include "backends/vulkan/limits.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace genera::vulkan {

/// A number of work handed to the queue; later work has a larger one.
using Tick = std::uint64_t;

/// All devices, in the order of the drivers.
std::vector<DeviceInfo> list_devices();

class Device {
 public:
  /// The device that choose_device() finds for `selector`. DeviceError where there is none or it cannot be used. A warning where nobody asked for a
  /// driver for the processor and it is one.
  explicit Device(std::string_view selector);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const VolkDeviceTable& vk() const { return table_; }
  VkPhysicalDevice physical() const { return physical_; }
  VkDevice handle() const { return device_; }
  const Limits& limits() const { return limits_; }
  const std::string& name() const { return name_; }
  std::uint32_t queue_family() const { return queue_family_; }
  /// An index of memory types that has all of `wanted`; DeviceError where no type does.
  std::uint32_t memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const;

  /// Hands `commands` to the queue, in order. DeviceError when the device is, or was, lost; `what` names the work.
  Tick submit(std::span<const VkCommandBuffer> commands, std::string_view what);
  /// Returns once the work is done. DeviceError when the device is, or was, lost.
  void wait(Tick tick);
  /// Whether it is; false on a device that is lost, whose wait() throws.
  bool done(Tick tick) const;
  Tick latest() const { return submitted_; }
  /// Returns when the device does nothing any more, lost or not.
  void wait_idle() const noexcept { table_.vkDeviceWaitIdle(device_); }

  /// To be called for each new pipeline: a driver for the processor compiles it when it first runs, and submit() waits for that once.
  void note_pipeline() { new_pipelines_ = true; }

  /// Of the validation layer: Instance.
  void check_messages() { instance_.check_messages(); }
  int messages() const { return instance_.messages(); }

  /// For calls whose failure drops commands: throws (DeviceError, MemoryError), and so does all that is asked of the device from then on.
  void lost(const char* call, VkResult result);

 private:
  void create_device();
  void tell_layer() const;
  void settle();

  Instance& instance_;
  VkPhysicalDevice physical_ = VK_NULL_HANDLE;
  VkDevice device_ = VK_NULL_HANDLE;
  VolkDeviceTable table_{};
  VkQueue queue_ = VK_NULL_HANDLE;
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  std::uint32_t queue_family_ = 0;
  VkPhysicalDeviceMemoryProperties memory_{};
  Limits limits_;
  std::string name_;
  bool on_processor_ = false;
  bool new_pipelines_ = false;  // since the last settle()
  Tick submitted_ = 0;
  std::string loss_;  // what lost the device
  std::string last_work_;
};

}  // namespace genera::vulkan
