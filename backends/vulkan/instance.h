/// The process's Vulkan instance.
#pragma once

#include "backends/vulkan/api.h"

#include <string>
#include <vector>

namespace genera::vulkan {

/// One for the whole process, never destroyed: values may outlive everything.
class Instance {
 public:
  /// DeviceError, with what to install, where there is no loader, no driver or no device. With GENERA_VULKAN_VALIDATE=1 the validation
  /// layer watches, synchronisation included.
  static Instance& get();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// In the order of the drivers.
  const std::vector<VkPhysicalDevice>& devices() const { return devices_; }

  /// Whether the validation layer watches.
  bool validates() const { return validates_; }

  /// Throws the first validation message since the last call as a DeviceError.
  void check_messages();
  int messages() const { return message_count_; }

 private:
  Instance();
  void create(bool validate);
  static VKAPI_ATTR VkBool32 VKAPI_CALL note_message(
      VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT type,
      const VkDebugUtilsMessengerCallbackDataEXT* data, void* self);

  VkInstance instance_ = VK_NULL_HANDLE;
  std::vector<VkPhysicalDevice> devices_;
  bool validates_ = false;
  int message_count_ = 0;
  std::string first_message_;
};

}  // namespace genera::vulkan
