/// GLSL to SPIR-V, in process, remembered on disk.
#pragma once

#include "backends/vulkan/limits.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace genera::vulkan {

/// The SPIR-V of a compute shader of GLSL text, with the prelude in front. Every floating-point instruction in it is decorated NoContraction, and where the
/// device can it keeps NaN, infinity and signed zero. DeviceError, with the numbered source and the compiler's log, for text that does not compile.
std::vector<std::uint32_t> compile_shader(std::string_view source, const Limits& limits);

/// The same module with those decorations and modes.
std::vector<std::uint32_t> made_exact(const std::vector<std::uint32_t>& module, bool keeps_nan);

/// How many shaders this process compiled, not counting those found on disk.
std::uint64_t shaders_compiled();

}  // namespace genera::vulkan
