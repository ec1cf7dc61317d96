#include <genera/device.h>
#include <genera/error.h>

#include "backends/backend.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/device_choice.h"
#include "backends/module.h"
#include "backends/reference/reference_backend.h"
#include "engine/core/warning.h"
#include "engine/graph/node.h"

#include <fmt/format.h>

#include <mutex>
#include <string>
#include <vector>

namespace genera {
namespace {

Backend*& current() {
  static Backend* backend = &cpu::backend();
  return backend;
}

/// All that were asked for; a backend's place here is its number.
std::vector<const Backend*>& known() {
  static auto* list = new std::vector<const Backend*>{&reference::backend(), &cpu::backend()};
  return *list;
}

/// The backend for "auto". A GPU that is there and not used is warned of: its owner would wonder.
Backend& automatic() {
  std::vector<DeviceInfo> devices;
  try {
    devices = vulkan_devices();
  } catch (const DeviceError&) {  // no module, no driver: what the CPU is for
  }
  if (const auto gpu = best_gpu(devices)) {
    try {
      return vulkan_module().open(std::to_string(*gpu));
    } catch (const DeviceError& error) {
      warn(fmt::format("computing on the CPU, as {} fails: {}", devices[*gpu].name, error.what()));
      return cpu::backend();
    }
  }
  for (const DeviceInfo& device : devices)
    if (device.kind != "cpu" && !device.problem.empty())
      warn(fmt::format("computing on the CPU, as {} cannot be used: {}", device.name,
                       device.problem));
  return cpu::backend();
}

constexpr std::string_view vulkan_prefix = "vulkan:";

bool is_vulkan(std::string_view name) {
  return name == "vulkan" || (name.starts_with(vulkan_prefix) && name != vulkan_prefix);
}

}  // namespace

std::string Backend::tune() {
  throw DeviceError("[tune] the processor's kernels have nothing to tune; use --device vulkan");
}

Backend& find_backend(std::string_view name) {
  if (name == "cpu") return cpu::backend();
  if (name == "reference") return reference::backend();
  if (is_vulkan(name))
    return vulkan_module().open(name == "vulkan" ? "" : name.substr(vulkan_prefix.size()));
  throw ArgumentError(
      fmt::format("[backend] there is no '{}'; use 'cpu', 'reference' or 'vulkan'", name));
}
Backend& current_backend() { return *current(); }
void set_current_backend(std::string_view name) { current() = &find_backend(name); }

int backend_number(const Backend& backend) {
  std::vector<const Backend*>& list = known();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (list[i] == &backend) return static_cast<int>(i);
  if (list.size() >= 64) throw DeviceError("[backend] more than 64 backends");
  list.push_back(&backend);
  return static_cast<int>(list.size()) - 1;
}

void set_device(std::string_view name) {
  if (name != "cpu" && name != "auto" && !is_vulkan(name))
    throw ArgumentError(fmt::format(
        "[device] there is no '{}'; use auto, cpu, vulkan, vulkan:N or vulkan:NAME", name));
  Backend& backend = name == "auto" ? automatic() : find_backend(name);
  std::lock_guard lock(graph_mutex());
  current() = &backend;
}
std::vector<DeviceInfo> vulkan_devices() { return vulkan_module().devices(); }
void wait_for_device() {
  std::lock_guard lock(graph_mutex());
  current_backend().wait();
}
std::string tune_device() {
  std::lock_guard lock(graph_mutex());
  return current_backend().tune();
}
std::string device_report() { return current_backend().report(); }

}  // namespace genera
