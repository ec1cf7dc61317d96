#include "backends/module.h"

#include <genera/error.h>

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <string>

namespace genera {
namespace {

constexpr const char* file_name = "libgenera-vulkan.so";

/// Beside the library (or program) that this code is in.
std::string module_path() {
  if (const char* given = std::getenv("GENERA_VULKAN_MODULE")) return given;
  Dl_info here{};
  if (dladdr(reinterpret_cast<const void*>(&open_vulkan), &here) == 0 || !here.dli_fname)
    return file_name;
  const std::string path = here.dli_fname;
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? file_name : path.substr(0, slash + 1) + file_name;
}

OpenBackend load_module() {
  const std::string path = module_path();
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module)
    throw DeviceError(
        fmt::format("[vulkan] this build has no Vulkan backend ({}): build it with libvulkan-dev, "
                    "libvulkan-volk-dev and glslang-dev installed, or use the CPU",
                    dlerror()));
  void* symbol = dlsym(module, "genera_open_backend");
  if (!symbol) throw DeviceError(fmt::format("[vulkan] {} is not a module of Genera", path));
  return reinterpret_cast<OpenBackend>(symbol);
}

}  // namespace

Backend& open_vulkan(std::string_view selector) {
  static const OpenBackend open = load_module();
  return *open(std::string(selector).c_str());
}

}  // namespace genera
