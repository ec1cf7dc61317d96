/// The device that computes.
#pragma once

#include <genera/export.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace genera {

/// Where values are computed from now on:
/// - "cpu" (at first);
/// - "vulkan": the best device that Vulkan finds: discrete, integrated, virtual GPU, then a driver for the processor, with a warning
///   (set_warning_handler); "vulkan:N": the N-th of vulkan_devices(); "vulkan:NAME": the first with NAME in its name, in upper or lower case;
/// - "auto": the best GPU, or where there is none the CPU; never a Vulkan driver for the processor, which is slower.
/// Values that lie elsewhere move when they are next used. DeviceError where there is no such device or it lacks something, saying what to
/// install; ArgumentError for another name.
GENERA_API void set_device(std::string_view name);

/// Returns when the device has done all that it was given; at once on the CPU. What reads a value waits for it unasked: this is for those who take times.
/// DeviceError where the device was lost.
GENERA_API void wait_for_device();

/// Measures on the current device which sizes of tiles suit its matrix products, after checking that all give the same bits, and stores the choice beside the shader cache:
/// later processes use it on this device with this driver. Takes seconds to a minute; returns what was measured. DeviceError on the CPU, which has nothing to
/// tune, and where results differ.
GENERA_API std::string tune_device();

/// The device and what it did, as lines of "name value", the first "device" and the device's name. Of a Vulkan device: dispatches,
/// barriers, submissions, bytes moved, host steps. Of the CPU: its instruction sets and BLAS.
GENERA_API std::string device_report();

/// A device that Vulkan finds, whether it can be used or not.
struct DeviceInfo {
  std::string name;     ///< the driver's word
  std::string kind;     ///< "discrete", "integrated", "virtual", "cpu" or "other"
  std::string problem;  ///< why it cannot be used; empty if it can
  /// Driver, limits and features, as names and values; few where there is a problem.
  std::vector<std::pair<std::string, std::string>> properties;
};

/// Number N of the list is "vulkan:N". DeviceError, saying what to install, where there is no backend, loader, driver or device.
GENERA_API std::vector<DeviceInfo> vulkan_devices();

}  // namespace genera
