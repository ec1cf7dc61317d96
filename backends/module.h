/// Backends that live in modules of their own, opened at run time.
#pragma once

#include "backends/backend.h"

#include <string_view>

namespace genera {

/// What a module exports under the name `genera_open_backend`: the backend on the device that `selector` names ("" for the best one), the same
/// for the same selector, never freed. Throws Genera's errors.
using OpenBackend = Backend* (*)(const char* selector);

/// The backend of libgenera-vulkan.so, which is looked for at $GENERA_VULKAN_MODULE or else beside the library. DeviceError
/// where it is missing or finds no device.
Backend& open_vulkan(std::string_view selector);

}  // namespace genera
