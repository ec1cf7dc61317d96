/// Which of Vulkan's devices computes.
#pragma once

#include <genera/device.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace genera {

/// The number of the device that `selector` names: "" takes the best that can be used, "N" the N-th, another text the first whose name contains it in
/// upper or lower case. DeviceError where there is none or it cannot be used.
std::size_t choose_device(std::span<const DeviceInfo> devices, std::string_view selector);

/// The best device that can be used and is a GPU.
std::optional<std::size_t> best_gpu(std::span<const DeviceInfo> devices);

}  // namespace genera
