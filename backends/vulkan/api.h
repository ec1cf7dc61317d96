/// Vulkan as this module calls it: functions through tables, results as typed errors.
#pragma once

#include <volk.h>

#include <string>

namespace genera::vulkan {

/// Loads the Vulkan loader once. DeviceError, with what to install, where there is none.
void load_vulkan();

/// "VK_ERROR_DEVICE_LOST".
std::string result_name(VkResult result);

/// Nothing for success; else MemoryError for a lack of memory, DeviceError for the rest. `call` is the function's name.
void check(VkResult result, const char* call);

}  // namespace genera::vulkan
