/// What a device can do, as its driver says.
#pragma once

#include <genera/device.h>

#include "backends/vulkan/api.h"
#include "backends/vulkan/limits.h"

#include <string>

namespace genera::vulkan {

/// What the driver offers, less what GENERA_VULKAN_LIMITS takes away.
Limits limits_of(VkPhysicalDevice device);

/// For people, and for the choice of a device.
DeviceInfo describe(VkPhysicalDevice device);

}  // namespace genera::vulkan
