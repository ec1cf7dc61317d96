#include "backends/vulkan/instance.h"

#include <genera/error.h>

#include "backends/vulkan/faults.h"

#include <cstdlib>
#include <string_view>

namespace genera::vulkan {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";

std::vector<VkPhysicalDevice> devices_of(VkInstance instance) {
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

}  // namespace

Instance& Instance::get() {
  static auto* instance = new Instance;
  return *instance;
}

Instance::Instance() {
  const char* wanted = std::getenv("GENERA_VULKAN_VALIDATE");
  load_vulkan();
  validates_ = wanted && std::string_view(wanted) == "1";
  create(validates_);
  // Where that throws, the VkInstance stays: the program ends or does without.
  devices_ = devices_of(instance_);
}

void Instance::create(bool validate) {
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
  if (validate) {
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
  inject_faults();
  if (validate) {
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    check(vkCreateDebugUtilsMessengerEXT(instance_, &messages, nullptr, &messenger),
          "vkCreateDebugUtilsMessengerEXT");
  }
}

VKAPI_ATTR VkBool32 VKAPI_CALL
Instance::note_message(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                       const VkDebugUtilsMessengerCallbackDataEXT* data, void* self) {
  auto* instance = static_cast<Instance*>(self);
  if (instance->message_count_++ == 0) instance->first_message_ = data->pMessage;
  return VK_FALSE;
}

void Instance::check_messages() {
  if (first_message_.empty()) return;
  const std::string text = std::move(first_message_);
  first_message_.clear();
  throw DeviceError("[vulkan] validation: " + text);
}

}  // namespace genera::vulkan
