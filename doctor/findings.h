/// What genera-doctor finds out about a machine.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace genera::doctor {

using Json = nlohmann::ordered_json;

/// The version, the system, the processor, the settings that matter; no names of hosts or users, no paths. Sizes in bytes.
Json describe_machine();

/// Vulkan's devices as examine() takes them, or the reason why there are none in `problem`.
struct VulkanDevices {
  std::vector<Json> described;  ///< name, kind, properties, problem
  std::string problem;
};
VulkanDevices find_vulkan_devices();

/// {"device"} and, of the one of Vulkan's devices that `device` takes, what is known of it. Sets the current device, as examine() does.
Json describe_device(const std::string& device, const VulkanDevices& vulkan);

/// Asks the device known_answers(): {"device", "answers", "counters" of device_report()}; {"device", "problem"} where it cannot be used. Sets the
/// current device.
Json examine(const std::string& device);

/// What to install or change, a sentence each.
std::vector<std::string> advice(const VulkanDevices& vulkan, const Json& machine);

/// Whether a device gave an answer that is wrong, or an error.
bool failed(const Json& examined);

}  // namespace genera::doctor
