#include "backends/vulkan/physical_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace genera::vulkan {
namespace {

/// The driver's answers, in the chains that Vulkan wants.
struct Answers {
  VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  VkPhysicalDeviceVulkan12Properties properties12{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES};
  VkPhysicalDeviceVulkan11Properties properties11{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES};
  VkPhysicalDeviceVulkan13Properties properties13{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES};
  VkPhysicalDevicePushDescriptorPropertiesKHR push{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PUSH_DESCRIPTOR_PROPERTIES_KHR};
  VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
  VkPhysicalDeviceVulkan12Features features12{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  VkPhysicalDeviceVulkan11Features features11{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};

  explicit Answers(VkPhysicalDevice device) {
    properties.pNext = &properties11;
    properties11.pNext = &properties12;
    properties12.pNext = &properties13;
    properties13.pNext = &push;
    vkGetPhysicalDeviceProperties2(device, &properties);
    features.pNext = &features11;
    features11.pNext = &features12;
    vkGetPhysicalDeviceFeatures2(device, &features);
  }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;
};

bool has_extension(VkPhysicalDevice device, std::string_view wanted) {
  std::uint32_t count = 0;
  check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr),
        "vkEnumerateDeviceExtensionProperties");
  std::vector<VkExtensionProperties> list(count);
  check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, list.data()),
        "vkEnumerateDeviceExtensionProperties");
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& e) { return wanted == e.extensionName; });
}

std::string version_text(std::uint32_t version) {
  return fmt::format("{}.{}.{}", VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
                     VK_API_VERSION_PATCH(version));
}

const char* kind_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return "cpu";
    default:
      return "other";
  }
}

/// Why the device cannot be used; "" if it can.
std::string problem_of(VkPhysicalDevice device, const VkPhysicalDeviceProperties& properties) {
  if (properties.apiVersion < VK_API_VERSION_1_3)
    return fmt::format("its driver is for Vulkan {}, Genera needs 1.3: update the driver",
                       version_text(properties.apiVersion));
  if (!has_extension(device, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME))
    return fmt::format("its driver lacks {}: update the driver",
                       VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME);
  if (properties.limits.minStorageBufferOffsetAlignment > binding_alignment)
    return fmt::format("it wants buffers aligned to {} bytes, at most {} can be had",
                       properties.limits.minStorageBufferOffsetAlignment, binding_alignment);
  return {};
}

Limits limits_of(VkPhysicalDevice device, const Answers& answers) {
  const VkPhysicalDeviceProperties& properties = answers.properties.properties;
  const VkPhysicalDeviceLimits& core = properties.limits;
  Limits limits;
  limits.invocations =
      std::min(core.maxComputeWorkGroupInvocations, core.maxComputeWorkGroupSize[0]);
  limits.shared_bytes = core.maxComputeSharedMemorySize;
  limits.groups = core.maxComputeWorkGroupCount[0];
  limits.binding_bytes = core.maxStorageBufferRange;
  // The values inside a plan share one block. Allocator's addresses have room for 64 GiB.
  limits.allocation_bytes =
      std::min<std::uint64_t>({answers.properties11.maxMemoryAllocationSize,
                               answers.properties13.maxBufferSize, std::uint64_t{1} << 36});
  limits.push_descriptors =
      std::min(answers.push.maxPushDescriptors, core.maxPerStageDescriptorStorageBuffers);
  limits.bytes = answers.features12.storageBuffer8BitAccess;
  limits.half_words = answers.features11.storageBuffer16BitAccess;
  limits.keeps_nan = answers.properties12.shaderSignedZeroInfNanPreserveFloat32;
  // Drivers of GPUs reset a device whose work takes seconds: at most some 20 ms on a GPU of a few TFLOP/s at once.
  if (properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU)
    limits.segment_work = std::uint64_t{1} << 36;
  VkPhysicalDeviceMemoryProperties memory;
  vkGetPhysicalDeviceMemoryProperties(device, &memory);
  for (std::uint32_t h = 0; h < memory.memoryHeapCount; ++h)
    if (memory.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      limits.heap_bytes = std::max<std::uint64_t>(limits.heap_bytes, memory.memoryHeaps[h].size);
  if (const char* less = std::getenv("GENERA_VULKAN_LIMITS")) lower(limits, less);
  return limits;
}

}  // namespace

Limits limits_of(VkPhysicalDevice device) { return limits_of(device, Answers(device)); }

DeviceInfo describe(VkPhysicalDevice device) {
  VkPhysicalDeviceProperties properties;
  vkGetPhysicalDeviceProperties(device, &properties);
  DeviceInfo info{
      properties.deviceName, kind_of(properties.deviceType), problem_of(device, properties), {}};
  info.properties.emplace_back("vulkan", version_text(properties.apiVersion));
  if (!info.problem.empty()) return info;  // an older driver need not know the questions
  const Answers answers(device);
  const Limits limits = limits_of(device, answers);
  const auto say = [&](const char* name, const auto& value) {
    info.properties.emplace_back(name, fmt::format("{}", value));
  };
  say("driver", answers.properties12.driverName);
  say("driver_version", answers.properties12.driverInfo);
  say("vendor", fmt::format("{:#06x}", properties.vendorID));
  say("heap_bytes", limits.heap_bytes);
  say("block_bytes", limits.allocation_bytes);
  say("binding_bytes", limits.binding_bytes);
  say("shared_bytes", limits.shared_bytes);
  say("invocations", limits.invocations);
  say("groups", limits.groups);
  say("push_descriptors", limits.push_descriptors);
  say("subgroup_size", answers.properties11.subgroupSize);
  say("stores_8_bit", limits.bytes);
  say("stores_16_bit", limits.half_words);
  say("keeps_nan", limits.keeps_nan);
  return info;
}

}  // namespace genera::vulkan
