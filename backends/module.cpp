#include "backends/module.h"

#include <genera/error.h>

#include "engine/core/warning.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace genera {
namespace {

constexpr const char* file_name = "libgenera-vulkan.so";

/// Beside the library (or program) that this code is in.
std::string module_path() {
  if (const char* given = std::getenv("GENERA_VULKAN_MODULE"); given && *given) return given;
  Dl_info here{};
  if (dladdr(reinterpret_cast<const void*>(&vulkan_module), &here) == 0 || !here.dli_fname)
    return file_name;
  const std::string path = here.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? file_name : path.substr(0, slash + 1) + file_name;
}

/// Without the folder, which reports of genera-doctor leave out.
[[noreturn]] void refuse(const std::string& path, std::string reason) {
  if (::access(path.c_str(), F_OK) != 0)
    throw DeviceError(
        fmt::format("[vulkan] this build has no Vulkan backend ({} is missing): build it with "
                    "libvulkan-dev, libvulkan-volk-dev, glslang-dev and spirv-tools installed, or "
                    "use the CPU",
                    file_name));
  if (reason.starts_with(path)) reason.replace(0, path.size(), file_name);
  throw DeviceError(fmt::format("[vulkan] the Vulkan backend cannot be loaded: {}", reason));
}

const Module& load_module() {
  const std::string path = module_path();
  void* file = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!file) refuse(path, dlerror());
  const void* symbol = dlsym(file, "genera_module");
  if (!symbol) throw DeviceError(fmt::format("[vulkan] {} is not a module of Genera", file_name));
  const Module& module = *static_cast<const Module*>(symbol);
  if (std::strcmp(module.digest, interface_digest) != 0)
    throw DeviceError(
        fmt::format("[vulkan] {} is of another build than the library: build, or install, both "
                    "from the same sources",
                    file_name));
  module.set_warning_handler(&warn);
  return module;
}

}  // namespace

const Module& vulkan_module() {
  static const Module& module = load_module();
  return module;
}

}  // namespace genera
