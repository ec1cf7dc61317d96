// A module that lists GPUs which cannot be used, or fail when they are opened: what programs say of them, on machines without any. With OF_ANOTHER_BUILD it is one
// that the library must not call.
#include <genera/error.h>

#include "backends/module.h"

#include <cstdlib>
#include <string>

namespace {

/// A driver for the processor that is too old, and the GPUs that $STAND_IN_GPUS names: "old", "broken", or both with a comma between.
std::vector<genera::DeviceInfo> devices() {
  const char* const wanted = std::getenv("STAND_IN_GPUS");
  const std::string names = wanted ? wanted : "";
  std::vector<genera::DeviceInfo> list{{"llvmpipe", "cpu", "its driver is for Vulkan 1.2.0", {}}};
  if (names.find("old") != std::string::npos)
    list.push_back({"Radiant X 100", "discrete", "its driver is for Vulkan 1.1.0", {}});
  if (names.find("broken") != std::string::npos)
    list.push_back({"Radiant X 900", "discrete", "", {}});
  return list;
}

genera::Backend& open(std::string_view selector) {
  throw genera::DeviceError("[vulkan] vkCreateDevice failed on " + std::string(selector));
}

void take_warnings(void (*)(std::string_view)) {
#ifdef OF_ANOTHER_BUILD
  std::abort();
#endif
}

#ifdef OF_ANOTHER_BUILD
constexpr const char* digest = "0123456789abcdef0123456789abcdef";
#else
constexpr const char* digest = genera::interface_digest;
#endif

}  // namespace

extern "C" {
__attribute__((visibility("default"))) extern const genera::Module genera_module;
const genera::Module genera_module{digest, &open, &devices, &take_warnings};
}
