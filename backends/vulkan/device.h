/// One Vulkan device with one queue.
#pragma once

#include "backends/vulkan/api.h"
#include "backends/vulkan/limits.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace genera::vulkan {

/// A number of work handed to the queue; later work has a larger one.
using Tick = std::uint64_t;

class Device {
 public:
  /// The device that `selector` names: "" takes the best (discrete before integrated before virtual before a CPU driver), "N" the N-th that the
  /// driver lists, another text the first whose name contains it. DeviceError where there is none or it lacks what is needed. With
  /// GENERA_VULKAN_VALIDATE=1 the validation layer watches, synchronisation included: its first message is thrown by check_messages().
  explicit Device(std::string_view selector);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const VolkDeviceTable& vk() const { return table_; }
  VkDevice handle() const { return device_; }
  const Limits& limits() const { return limits_; }
  const std::string& name() const { return name_; }
  std::uint32_t queue_family() const { return queue_family_; }
  /// An index of memory types that has all of `wanted`; DeviceError where no type does.
  std::uint32_t memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const;
  VkPhysicalDevice physical() const { return physical_; }

  /// Hands `commands` to the queue. DeviceError when the device is, or was, lost; `what` names the work.
  Tick submit(VkCommandBuffer commands, std::string_view what);
  /// Returns once the work is done.
  void wait(Tick tick);
  bool done(Tick tick) const;
  Tick latest() const { return submitted_; }

  /// Throws a validation message as a DeviceError, if there was one since the last call.
  void check_messages();
  int messages() const { return message_count_; }

 private:
  void create_instance();
  void choose(std::string_view selector);
  void read_limits();
  void create_device();
  void lost(const char* call, VkResult result);
  static VKAPI_ATTR VkBool32 VKAPI_CALL note_message(
      VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT type,
      const VkDebugUtilsMessengerCallbackDataEXT* data, void* self);

  bool validate_ = false;
  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  VkPhysicalDevice physical_ = VK_NULL_HANDLE;
  VkDevice device_ = VK_NULL_HANDLE;
  VolkDeviceTable table_{};
  VkQueue queue_ = VK_NULL_HANDLE;
  VkSemaphore timeline_ = VK_NULL_HANDLE;
  std::uint32_t queue_family_ = 0;
  VkPhysicalDeviceMemoryProperties memory_{};
  Limits limits_;
  std::string name_;
  Tick submitted_ = 0;
  std::string loss_;  // what lost the device
  std::string last_work_;
  int message_count_ = 0;
  std::string first_message_;
};

}  // namespace genera::vulkan
