/// Backends that live in modules of their own, opened at run time.
#pragma once

#include <genera/device.h>

#include "backends/backend.h"

#include <string_view>
#include <vector>

namespace genera {

/// Of the headers that lay out what library and modules exchange, the version and the compiler (interface_digest.py): who links the engine has that of the build.
extern const char interface_digest[];

/// What a module exports under the name `genera_module`. It has its own copy of the engine, and so hands over its warnings. The functions throw Genera's
/// errors.
struct Module {
  /// interface_digest as the module was built with it. Always the first member: a module of another build is known by it before the rest can be read.
  const char* digest;
  /// The backend on the device that `selector` names (choose_device), the same for the same selector, never freed.
  Backend& (*open)(std::string_view selector);
  std::vector<DeviceInfo> (*devices)();
  void (*set_warning_handler)(void (*handler)(std::string_view));
};

/// libgenera-vulkan.so, which is looked for at $GENERA_VULKAN_MODULE or else beside the library. DeviceError where it is missing, cannot be
/// loaded or is of another build than the library.
const Module& vulkan_module();

}  // namespace genera
