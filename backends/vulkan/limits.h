/// What a device can do, less what a setting takes away.
#pragma once

#include <cstdint>
#include <string_view>

namespace genera::vulkan {

/// Bindings begin at multiples of so many bytes, in a slice of memory and within one: the most that a device may ask for (minStorageBufferOffsetAlignment).
constexpr std::uint64_t binding_alignment = 256;

struct Limits {
  std::uint32_t invocations = 0;       ///< per workgroup
  std::uint32_t shared_bytes = 0;      ///< per workgroup
  std::uint32_t groups = 0;            ///< workgroups of a dispatch, along x
  std::uint64_t binding_bytes = 0;     ///< largest range that a shader may see
  std::uint64_t allocation_bytes = 0;  ///< largest block of memory
  std::uint64_t heap_bytes = 0;        ///< device memory in all
  std::uint32_t push_descriptors = 0;
  bool bytes = false;       ///< shaders may load and store 8-bit elements
  bool half_words = false;  ///< the same of 16-bit elements
  bool keeps_nan = false;  ///< float arithmetic can be told to honour NaN, infinity and signed zero
  bool barrier_always = false;  ///< a barrier before every command: same bits, slower
  bool red_zones = false;       ///< NaN around every slice, checked after every run
  bool record_always = false;   ///< no recording is submitted twice: same bits, slower
  std::uint64_t segment_work = std::uint64_t{1} << 62;  ///< operations and bytes of one submission
};

/// Takes away what `text` (GENERA_VULKAN_LIMITS) names, separated by commas: "no-bytes", "no-half-words", "shared=16K", "invocations=128", "groups=64",
/// "binding=1M", "block=1M", "heap=64M", "segment=1M"; or turns on "barrier-always", "record-always" or "red-zones". A limit can only become lower. ArgumentError for
/// another word.
void lower(Limits& limits, std::string_view text);

}  // namespace genera::vulkan
