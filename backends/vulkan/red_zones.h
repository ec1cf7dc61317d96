/// NaN behind everything that a shader may write, to see whether one writes there. Drivers for processors hide such writes.
#pragma once

#include "backends/vulkan/allocator.h"
#include "backends/vulkan/recorder.h"
#include "engine/plan/plan.h"

#include <cstdint>
#include <span>

namespace genera::vulkan {

/// Slices have a zone of Allocator::alignment bytes and what rounding up left; buffers in an arena the same, where the arena's layout has that gap. The zones of
/// an arena belong to a buffer while it lives, so they are looked at step by step.
class RedZones {
 public:
  RedZones(Allocator& allocator, Recorder& recorder) : allocator_(allocator), recorder_(recorder) {}

  /// Bytes of a tensor of `bytes` bytes with its zone: shaders must see the zone, or the driver drops what they write there.
  static std::uint64_t with_zone(std::uint64_t bytes);
  /// Fills the zone of a new slice of `bytes` bytes.
  void fill_slice(Address address, std::uint64_t bytes);
  /// Throws DeviceError where a slice's zone is not as it was filled.
  void check_slices();
  /// The same for the arena's buffers that the step reads or writes.
  void fill_arena(const Plan& plan, const PlanStep& step, std::span<void* const> addresses);
  void check_arena(const Plan& plan, const PlanStep& step, std::span<void* const> addresses);

 private:
  void check(Address begin, std::uint64_t bytes, std::string_view what);

  Allocator& allocator_;
  Recorder& recorder_;
};

}  // namespace genera::vulkan
