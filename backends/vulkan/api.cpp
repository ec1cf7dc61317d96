#define VOLK_IMPLEMENTATION
#include "backends/vulkan/api.h"

#include <genera/error.h>

#include <fmt/format.h>

namespace genera::vulkan {

void load_vulkan() {
  static const VkResult loaded = volkInitialize();
  if (loaded != VK_SUCCESS)
    throw DeviceError(
        "[vulkan] there is no Vulkan loader (libvulkan.so.1); install it with a driver: apt-get "
        "install libvulkan1 mesa-vulkan-drivers, or your GPU vendor's driver");
}

std::string result_name(VkResult result) {
  switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return "VK_ERROR_OUT_OF_HOST_MEMORY";
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return "VK_ERROR_OUT_OF_DEVICE_MEMORY";
    case VK_ERROR_INITIALIZATION_FAILED:
      return "VK_ERROR_INITIALIZATION_FAILED";
    case VK_ERROR_DEVICE_LOST:
      return "VK_ERROR_DEVICE_LOST";
    case VK_ERROR_LAYER_NOT_PRESENT:
      return "VK_ERROR_LAYER_NOT_PRESENT";
    case VK_ERROR_EXTENSION_NOT_PRESENT:
      return "VK_ERROR_EXTENSION_NOT_PRESENT";
    case VK_ERROR_FEATURE_NOT_PRESENT:
      return "VK_ERROR_FEATURE_NOT_PRESENT";
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return "VK_ERROR_INCOMPATIBLE_DRIVER";
    case VK_TIMEOUT:
      return "VK_TIMEOUT";
    default:
      return fmt::format("VkResult {}", static_cast<int>(result));
  }
}

void check(VkResult result, const char* call) {
  if (result >= 0) return;
  const std::string text = fmt::format("[vulkan] {} gave {}", call, result_name(result));
  if (result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY)
    throw MemoryError(text + ": use smaller batches");
  throw DeviceError(text);
}

}  // namespace genera::vulkan
