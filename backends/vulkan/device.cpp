#include "backends/vulkan/device.h"

#include <genera/error.h>

#include "backends/device_choice.h"
#include "backends/vulkan/faults.h"
#include "backends/vulkan/physical_device.h"
#include "engine/core/warning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace genera::vulkan {
namespace {

std::string slowness_warning(const std::vector<DeviceInfo>& devices, std::size_t number) {
  std::string text = fmt::format(
      "no GPU can be used: computing on {}, a Vulkan driver for the processor, many times slower "
      "than the CPU backend",
      devices[number].name);
  for (const DeviceInfo& device : devices)
    if (!device.problem.empty()) text += fmt::format("; {}: {}", device.name, device.problem);
  return text;
}

/// All whose driver computes in threads of this process; never freed, as the end of the program reads it (Device::settle).
std::vector<const Device*>& devices_on_processor() {
  static auto* devices = new std::vector<const Device*>;
  return *devices;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  std::vector<DeviceInfo> devices;
  for (const VkPhysicalDevice device : Instance::get().devices())
    devices.push_back(describe(device));
  return devices;
}

Device::Device(std::string_view selector) : instance_(Instance::get()) {
  const std::vector<DeviceInfo> devices = list_devices();
  const std::size_t number = choose_device(devices, selector);
  physical_ = instance_.devices()[number];
  name_ = devices[number].name;
  on_processor_ = devices[number].kind == "cpu";
  limits_ = limits_of(physical_);
  vkGetPhysicalDeviceMemoryProperties(physical_, &memory_);
  create_device();
  if (on_processor_ && selector.empty()) warn(slowness_warning(devices, number));
  if (on_processor_)
    devices_on_processor().push_back(this);  // last: a constructor that throws has no destructor
}

Device::~Device() {
  std::erase(devices_on_processor(), this);
  wait_idle();
  table_.vkDestroySemaphore(device_, timeline_, nullptr);
  table_.vkDestroyDevice(device_, nullptr);
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
  inject_faults(table_);
  table_.vkGetDeviceQueue(device_, queue_family_, 0, &queue_);

  VkSemaphoreTypeCreateInfo type{VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO};
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo semaphore{VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, &type};
  const VkResult result = table_.vkCreateSemaphore(device_, &semaphore, nullptr, &timeline_);
  if (result < 0) table_.vkDestroyDevice(device_, nullptr);
  check(result, "vkCreateSemaphore");
}

std::uint32_t Device::memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const {
  for (std::uint32_t t = 0; t < memory_.memoryTypeCount; ++t)
    if ((allowed >> t & 1) && (memory_.memoryTypes[t].propertyFlags & wanted) == wanted) return t;
  throw DeviceError(fmt::format("[vulkan] {} has no memory with properties {:#x}", name_, wanted));
}

void Device::lost(const char* call, VkResult result) {
  if (result != VK_ERROR_DEVICE_LOST) {
    // Commands that never ran leave values unwritten which later ones would read: nothing can go on.
    try {
      check(result, call);
    } catch (const Error& error) {
      loss_ = error.what();
      throw;
    }
  }
  loss_ = fmt::format(
      "[vulkan] {} was lost (a driver reset, often because work took too long) during {}; the last "
      "checkpoint is as it was: start again with --resume",
      name_, last_work_);
  throw DeviceError(loss_);
}

Tick Device::submit(std::span<const VkCommandBuffer> commands, std::string_view what) {
  if (!loss_.empty()) throw DeviceError(loss_);
  last_work_ = what;
  std::vector<VkCommandBufferSubmitInfo> buffers;
  for (const VkCommandBuffer each : commands)
    buffers.push_back({VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO, nullptr, each, 0});
  VkSemaphoreSubmitInfo signal{VK_STRUCTURE_TYPE_SEMAPHORE_SUBMIT_INFO};
  signal.semaphore = timeline_;
  signal.value = submitted_ + 1;
  signal.stageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  VkSubmitInfo2 info{VK_STRUCTURE_TYPE_SUBMIT_INFO_2};
  info.commandBufferInfoCount = static_cast<std::uint32_t>(buffers.size());
  info.pCommandBufferInfos = buffers.data();
  info.signalSemaphoreInfoCount = 1;
  info.pSignalSemaphoreInfos = &signal;
  const VkResult result = table_.vkQueueSubmit2(queue_, 1, &info, VK_NULL_HANDLE);
  if (result < 0) lost("vkQueueSubmit2", result);
  const Tick tick = ++submitted_;
  if (on_processor_ && new_pipelines_) settle();
  instance_.check_messages();
  return tick;
}

/// A driver for the processor computes in threads of this process, with objects that exit() destroys: so a handler of atexit() waits for it first. Handlers run
/// before those registered earlier, and the driver makes such objects when it compiles: so pipelines must have run once, to their end, before the handler is registered, and
/// new ones need it registered again.
void Device::settle() {
  wait_idle();
  new_pipelines_ = false;
  std::atexit([] {
    for (const Device* device : devices_on_processor()) device->wait_idle();
  });
}

void Device::wait(Tick tick) {
  if (!loss_.empty()) throw DeviceError(loss_);
  VkSemaphoreWaitInfo info{VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO};
  info.semaphoreCount = 1;
  info.pSemaphores = &timeline_;
  info.pValues = &tick;
  const VkResult result = table_.vkWaitSemaphores(device_, &info, ~std::uint64_t{0});
  if (result < 0) lost("vkWaitSemaphores", result);
  if (tick == submitted_) tell_layer();
}

bool Device::done(Tick tick) const {
  std::uint64_t value = 0;
  if (table_.vkGetSemaphoreCounterValue(device_, timeline_, &value) < 0 || value < tick)
    return false;
  if (tick == submitted_) tell_layer();
  return true;
}

/// Synchronisation validation of submissions (1.3.239) does not follow what the host learns of timeline semaphores, and would call the reuse of memory a hazard. It
/// follows idle queues; this one has nothing to wait for any more.
void Device::tell_layer() const {
  if (instance_.validates()) table_.vkQueueWaitIdle(queue_);
}

}  // namespace genera::vulkan
