#include "doctor/findings.h"

#include <fmt/core.h>
#include <genera/device.h>
#include <genera/error.h>
#include <genera/stats.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "doctor/known_answers.h"
#include "zoo/common/common_flags.h"
#include "zoo/common/machine.h"
#include "zoo/common/version.h"

namespace genera::doctor {
namespace {

/// The lines of device_report() but the first, which names the device.
Json counters() {
  Json result = Json::object();
  std::istringstream lines(device_report());
  std::string name, value;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t blank = line.find(' ');
    if (blank != std::string::npos && line.compare(0, blank, "device") != 0)
      result[line.substr(0, blank)] = line.substr(blank + 1);
  }
  return result;
}

/// What the kernel shows of GPUs: nodes that exist, and whether this user may open them.
struct Nodes {
  bool gpu = false;
  bool allowed = true;
};
Nodes device_nodes() {
  Nodes nodes;
  std::error_code error;
  for (std::filesystem::directory_iterator it("/dev/dri", error), end; !error && it != end;
       it.increment(error)) {
    if (!it->path().filename().string().starts_with("renderD")) continue;
    nodes.gpu = true;
    if (::access(it->path().c_str(), R_OK | W_OK) != 0) nodes.allowed = false;
  }
  for (const char* path : {"/dev/nvidiactl", "/dev/dxg"})
    if (std::filesystem::exists(path, error)) nodes.gpu = true;
  return nodes;
}

}  // namespace

Json describe_machine() {
  Json machine;
  machine["version"] = zoo::program_version();
  machine["commit"] = zoo::source_commit();
  utsname system{};
  if (::uname(&system) == 0)
    machine["system"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  machine["processor"] = zoo::cpu_model();
  machine["cores"] = zoo::core_count();
  machine["memory_available_bytes"] = zoo::available_memory();
  const Nodes nodes = device_nodes();
  machine["gpu_device_nodes"] = nodes.gpu;
  machine["gpu_device_nodes_may_be_opened"] = nodes.allowed;
  for (const char* name : {"OPENBLAS_CORETYPE", "GENERA_VULKAN_LIMITS", "GENERA_VULKAN_VALIDATE",
                           "GENERA_VULKAN_FAULT"})
    if (const char* value = std::getenv(name)) machine["settings"][name] = value;
  for (const char* name : {"VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_LOADER_DRIVERS_SELECT",
                           "GENERA_SHADER_CACHE", "GENERA_VULKAN_MODULE"})
    if (std::getenv(name)) machine["settings"][name] = "(set)";  // a path
  return machine;
}

VulkanDevices find_vulkan_devices() {
  VulkanDevices found;
  try {
    for (const DeviceInfo& info : vulkan_devices()) {
      Json device;
      device["name"] = info.name;
      device["kind"] = info.kind;
      if (!info.problem.empty()) device["problem"] = info.problem;
      for (const auto& [name, value] : info.properties) device[name] = value;
      found.described.push_back(std::move(device));
    }
  } catch (const Error& error) {
    found.problem = error.what();
  }
  return found;
}

Json describe_device(const std::string& device, const VulkanDevices& vulkan) {
  Json result;
  result["device"] = device;
  try {
    set_device(device);
  } catch (const Error&) {  // examine() says why
    return result;
  }
  const std::string name = zoo::device_in_use();
  for (const Json& described : vulkan.described)
    if (!result.contains("name") && described["name"] == name) result.update(described);
  return result;
}

Json examine(const std::string& device) {
  Json result;
  result["device"] = device;
  try {
    set_device(device);
  } catch (const Error& error) {
    result["problem"] = error.what();
    return result;
  }
  result["answers"] = Json::array();
  for (const Answer& answer : known_answers()) {
    Json one;
    one["question"] = answer.question;
    one["right"] = answer.wrong.empty();
    if (!answer.wrong.empty()) one["wrong"] = answer.wrong;
    one["seconds"] = answer.seconds;
    result["answers"].push_back(std::move(one));
  }
  result["counters"] = counters();
  return result;
}

bool failed(const Json& examined) {
  if (examined.contains("problem")) return true;
  const Json& answers = examined.at("answers");
  return std::any_of(answers.begin(), answers.end(),
                     [](const Json& answer) { return !answer.at("right").get<bool>(); });
}

std::vector<std::string> advice(const VulkanDevices& vulkan, const Json& machine) {
  std::vector<std::string> sentences;
  if (!vulkan.problem.empty()) sentences.push_back(vulkan.problem);
  bool gpu = false;
  for (const Json& device : vulkan.described) {
    if (device.contains("problem"))
      sentences.push_back(fmt::format("{} cannot be used: {}", device["name"].get<std::string>(),
                                      device["problem"].get<std::string>()));
    else if (device["kind"] != "cpu")
      gpu = true;
    if (device.value("stores_8_bit", "") == "false")
      sentences.push_back(fmt::format(
          "{} cannot store elements of 8 bits, which many models need: those end with exit code 5",
          device["name"].get<std::string>()));
  }
  if (gpu) return sentences;
  if (!machine.at("gpu_device_nodes_may_be_opened").get<bool>())
    sentences.push_back(
        "there is a GPU that you may not open: sudo usermod -aG render,video $USER, then log in "
        "again");
  else if (machine.at("gpu_device_nodes").get<bool>())
    sentences.push_back(
        "there is a GPU, but no Vulkan driver that sees it: for AMD and Intel apt-get install "
        "mesa-vulkan-drivers, for NVIDIA its driver with nvidia-vulkan-icd (in a container also "
        "the capability 'graphics': NVIDIA_DRIVER_CAPABILITIES=all)");
  else
    sentences.push_back(
        vulkan.problem.empty()
            ? "no GPU was found: the programs compute on the CPU (--device auto does so by itself)"
            : "until then the programs compute on the CPU (--device auto does so by itself)");
  return sentences;
}

}  // namespace genera::doctor
