#include "backends/vulkan/device.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>

namespace genera::vulkan {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";

std::vector<VkPhysicalDevice> all_devices(VkInstance instance) {
  std::uint32_t count = 0;
  std::vector<VkPhysicalDevice> devices;
  if (vkEnumeratePhysicalDevices(instance, &count, nullptr) >= 0 && count > 0) {
    devices.resize(count);
    check(vkEnumeratePhysicalDevices(instance, &count, devices.data()),
          "vkEnumeratePhysicalDevices");
    devices.resize(count);
  }
  if (devices.empty())
    throw DeviceError(
        "[vulkan] no driver has a device; install your GPU vendor's driver, or Mesa's for the "
        "processor: apt-get install mesa-vulkan-drivers");
  return devices;
}

VkPhysicalDeviceProperties properties_of(VkPhysicalDevice device) {
  VkPhysicalDeviceProperties properties;
  vkGetPhysicalDeviceProperties(device, &properties);
  return properties;
}

/// Smaller is better.
int rank_of(VkPhysicalDevice device) {
  switch (properties_of(device).deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return 3;
    default:
      return 4;
  }
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 6 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

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

}  // namespace

Device::Device(std::string_view selector) {
  const char* wanted = std::getenv("GENERA_VULKAN_VALIDATE");
  validate_ = wanted && std::string_view(wanted) == "1";
  load_vulkan();
  create_instance();
  choose(selector);
  read_limits();
  if (const char* less = std::getenv("GENERA_VULKAN_LIMITS")) lower(limits_, less);
  create_device();
}

Device::~Device() {
  if (device_) {
    table_.vkDeviceWaitIdle(device_);
    table_.vkDestroySemaphore(device_, timeline_, nullptr);
    table_.vkDestroyDevice(device_, nullptr);
  }
  if (messenger_) vkDestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
  if (instance_) vkDestroyInstance(instance_, nullptr);
}

void Device::create_instance() {
  VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
  application.pEngineName = "genera";
  application.apiVersion = VK_API_VERSION_1_3;
  VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
  info.pApplicationInfo = &application;

  const VkValidationFeatureEnableEXT enabled[] = {
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  VkValidationFeaturesEXT features{VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT};
  features.enabledValidationFeatureCount = 1;
  features.pEnabledValidationFeatures = enabled;
  VkDebugUtilsMessengerCreateInfoEXT messages{
      VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
  messages.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                             VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messages.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  messages.pfnUserCallback = note_message;
  messages.pUserData = this;
  const char* extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
  if (validate_) {
    features.pNext = &messages;
    info.pNext = &features;
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &validation_layer;
    info.enabledExtensionCount = 1;
    info.ppEnabledExtensionNames = &extension;
  }
  const VkResult result = vkCreateInstance(&info, nullptr, &instance_);
  if (result == VK_ERROR_LAYER_NOT_PRESENT)
    throw DeviceError(
        "[vulkan] GENERA_VULKAN_VALIDATE needs the validation layer: apt-get install "
        "vulkan-validationlayers");
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
    throw DeviceError(
        "[vulkan] the Vulkan loader finds no driver; install your GPU vendor's driver, or Mesa's: "
        "apt-get install mesa-vulkan-drivers (VK_DRIVER_FILES and VK_ICD_FILENAMES restrict where "
        "it looks)");
  check(result, "vkCreateInstance");
  volkLoadInstanceOnly(instance_);
  if (validate_)
    check(vkCreateDebugUtilsMessengerEXT(instance_, &messages, nullptr, &messenger_),
          "vkCreateDebugUtilsMessengerEXT");
}

VKAPI_ATTR VkBool32 VKAPI_CALL
Device::note_message(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                     const VkDebugUtilsMessengerCallbackDataEXT* data, void* self) {
  auto* device = static_cast<Device*>(self);
  if (device->message_count_++ == 0) device->first_message_ = data->pMessage;
  return VK_FALSE;
}

void Device::check_messages() {
  if (first_message_.empty()) return;
  const std::string text = std::move(first_message_);
  first_message_.clear();
  throw DeviceError("[vulkan] validation: " + text);
}

void Device::choose(std::string_view selector) {
  const std::vector<VkPhysicalDevice> devices = all_devices(instance_);
  if (is_number(selector)) {
    const auto number = static_cast<std::size_t>(std::atoi(std::string(selector).c_str()));
    if (number >= devices.size())
      throw DeviceError(fmt::format("[vulkan] there is no device {}: the drivers list {}", number,
                                    devices.size()));
    physical_ = devices[number];
  } else if (!selector.empty()) {
    std::string names;
    for (const VkPhysicalDevice device : devices) {
      const std::string name = properties_of(device).deviceName;
      names += (names.empty() ? "" : ", ") + name;
      if (!physical_ && name.find(selector) != std::string::npos) physical_ = device;
    }
    if (!physical_)
      throw DeviceError(
          fmt::format("[vulkan] no device has '{}' in its name; there are: {}", selector, names));
  } else {
    physical_ = *std::min_element(devices.begin(), devices.end(),
                                  [](auto a, auto b) { return rank_of(a) < rank_of(b); });
  }
  name_ = properties_of(physical_).deviceName;
}

void Device::read_limits() {
  VkPhysicalDeviceVulkan12Properties properties12{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES};
  VkPhysicalDeviceMaintenance3Properties memory{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, &properties12};
  VkPhysicalDevicePushDescriptorPropertiesKHR push{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PUSH_DESCRIPTOR_PROPERTIES_KHR, &memory};
  VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &push};
  if (properties_of(physical_).apiVersion < VK_API_VERSION_1_3)
    throw DeviceError(fmt::format(
        "[vulkan] {} has a driver for Vulkan {}.{}, Genera needs 1.3: update the driver", name_,
        VK_API_VERSION_MAJOR(properties_of(physical_).apiVersion),
        VK_API_VERSION_MINOR(properties_of(physical_).apiVersion)));
  if (!has_extension(physical_, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME))
    throw DeviceError(
        fmt::format("[vulkan] {} lacks {}", name_, VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME));
  vkGetPhysicalDeviceProperties2(physical_, &properties);
  VkPhysicalDeviceVulkan12Features features12{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  VkPhysicalDeviceVulkan11Features features11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                              &features12};
  VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &features11};
  vkGetPhysicalDeviceFeatures2(physical_, &features);
  vkGetPhysicalDeviceMemoryProperties(physical_, &memory_);

  const VkPhysicalDeviceLimits& core = properties.properties.limits;
  limits_.invocations =
      std::min(core.maxComputeWorkGroupInvocations, core.maxComputeWorkGroupSize[0]);
  limits_.shared_bytes = core.maxComputeSharedMemorySize;
  limits_.groups = core.maxComputeWorkGroupCount[0];
  limits_.binding_bytes = core.maxStorageBufferRange;
  limits_.allocation_bytes =
      std::min<std::uint64_t>(memory.maxMemoryAllocationSize, std::uint64_t{1} << 30);
  limits_.push_descriptors =
      std::min(push.maxPushDescriptors, core.maxPerStageDescriptorStorageBuffers);
  limits_.bytes = features12.storageBuffer8BitAccess;
  limits_.half_words = features11.storageBuffer16BitAccess;
  limits_.keeps_nan = properties12.shaderSignedZeroInfNanPreserveFloat32;
  // Drivers of GPUs reset a device whose work takes seconds: at most some 20 ms on a GPU of a few TFLOP/s at once.
  if (properties.properties.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU)
    limits_.segment_work = std::uint64_t{1} << 36;
  for (std::uint32_t h = 0; h < memory_.memoryHeapCount; ++h)
    if (memory_.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      limits_.heap_bytes = std::max<std::uint64_t>(limits_.heap_bytes, memory_.memoryHeaps[h].size);
  if (core.minStorageBufferOffsetAlignment > 256)
    throw DeviceError(fmt::format("[vulkan] {} wants buffers aligned to {} bytes", name_,
                                  core.minStorageBufferOffsetAlignment));
}

void Device::create_device() {
  std::uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(physical_, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(physical_, &count, families.data());
  const auto computes = std::find_if(families.begin(), families.end(), [](const auto& f) {
    return (f.queueFlags & VK_QUEUE_COMPUTE_BIT) != 0;
  });
  if (computes == families.end())
    throw DeviceError(fmt::format("[vulkan] {} has no compute queue", name_));
  queue_family_ = static_cast<std::uint32_t>(computes - families.begin());

  const float priority = 1;
  VkDeviceQueueCreateInfo queue{VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
  queue.queueFamilyIndex = queue_family_;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkPhysicalDeviceVulkan13Features features13{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
  features13.synchronization2 = VK_TRUE;
  features13.maintenance4 = VK_TRUE;
  VkPhysicalDeviceVulkan12Features features12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
                                              &features13};
  features12.timelineSemaphore = VK_TRUE;
  features12.storageBuffer8BitAccess = limits_.bytes;
  VkPhysicalDeviceVulkan11Features features11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                              &features12};
  features11.storageBuffer16BitAccess = limits_.half_words;
  const char* extension = VK_KHR_PUSH_DESCRIPTOR_EXTENSION_NAME;
  VkDeviceCreateInfo info{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, &features11};
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = 1;
  info.ppEnabledExtensionNames = &extension;
  check(vkCreateDevice(physical_, &info, nullptr, &device_), "vkCreateDevice");
  volkLoadDeviceTable(&table_, device_);
  table_.vkGetDeviceQueue(device_, queue_family_, 0, &queue_);

  VkSemaphoreTypeCreateInfo type{VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO};
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo semaphore{VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, &type};
  check(table_.vkCreateSemaphore(device_, &semaphore, nullptr, &timeline_), "vkCreateSemaphore");
}

std::uint32_t Device::memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const {
  for (std::uint32_t t = 0; t < memory_.memoryTypeCount; ++t)
    if ((allowed >> t & 1) && (memory_.memoryTypes[t].propertyFlags & wanted) == wanted) return t;
  throw DeviceError(fmt::format("[vulkan] {} has no memory with properties {:#x}", name_, wanted));
}

void Device::lost(const char* call, VkResult result) {
  if (result != VK_ERROR_DEVICE_LOST) return check(result, call);
  loss_ = fmt::format(
      "[vulkan] {} was lost (a driver reset, often because work took too long) during {}; the last "
      "checkpoint is as it was: start again with --resume",
      name_, last_work_);
  throw DeviceError(loss_);
}

Tick Device::submit(VkCommandBuffer commands, std::string_view what) {
  if (!loss_.empty()) throw DeviceError(loss_);
  last_work_ = what;
  VkCommandBufferSubmitInfo buffer{VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO};
  buffer.commandBuffer = commands;
  VkSemaphoreSubmitInfo signal{VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO};
  signal.semaphore = timeline_;
  signal.value = submitted_ + 1;
  signal.stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  VkSubmitInfo2 info{VK_STRUCTURE_TYPE_SUBMIT_INFO_2};
  info.commandBufferInfoCount = 1;
  info.pCommandBufferInfos = &buffer;
  info.signalSemaphoreInfoCount = 1;
  info.pSignalSemaphoreInfos = &signal;
  VkResult result = injected_fault("submit");
  if (result == VK_SUCCESS) result = table_.vkQueueSubmit2(queue_, 1, &info, VK_NULL_HANDLE);
  if (result < 0) lost("vkQueueSubmit2", result);
  check_messages();
  return ++submitted_;
}

void Device::wait(Tick tick) {
  if (!loss_.empty()) throw DeviceError(loss_);
  VkSemaphoreWaitInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
  info.semaphoreCount = 1;
  info.pSemaphores = &timeline_;
  info.pValues = &tick;
  VkResult result = injected_fault("wait");
  if (result == VK_SUCCESS) result = table_.vkWaitSemaphores(device_, &info, ~std::uint64_t{0});
  if (result < 0) lost("vkWaitSemaphores", result);
}

bool Device::done(Tick tick) const {
  std::uint64_t value = 0;
  return table_.vkGetSemaphoreCounterValue(device_, timeline_, &value) >= 0 && value >= tick;
}

}  // namespace genera::vulkan
