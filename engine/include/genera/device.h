/// The device that computes.
#pragma once

#include <genera/export.h>

#include <string>
#include <string_view>

namespace genera {

/// Where values are computed from now on: "cpu" (at first), or "vulkan" for the best device that Vulkan finds, "vulkan:N" for the one of that
/// number, "vulkan:NAME" for the first with NAME in its name. Values that lie elsewhere move when they are next used. DeviceError
/// where there is no such device, saying what to install; ArgumentError for another name.
GENERA_API void set_device(std::string_view name);

/// The device and what it did, as lines of "name value": dispatches, barriers, submissions, bytes moved, host steps. Empty for the CPU.
GENERA_API std::string device_report();

}  // namespace genera
