/// Measuring which tiles suit a device.
#pragma once

#include "backends/vulkan/context.h"

#include <string>

namespace genera::vulkan {

/// Times every candidate tile on square products of growing size, after holding its result against the default's, bit for bit; then sets context.tiles and stores
/// them beside the shader cache for this device and driver. Lines for people: what was measured and chosen. DeviceError where a candidate's bits
/// differ: nothing is stored then.
std::string tune(Context& context);

/// What a tuning run stored for this device and driver; the default where there is nothing sound.
Tiles tuned_tiles(const Device& device);

}  // namespace genera::vulkan
