#include "backends/vulkan/red_zones.h"

#include <genera/error.h>

#include "engine/plan/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace genera::vulkan {
namespace {

constexpr std::uint32_t nan_word = 0xffffffffu;

/// From the first word that no shader may touch to the end of the zone.
struct Zone {
  std::uint64_t begin, bytes;
};
Zone zone_of(std::uint64_t bytes) {
  constexpr std::uint64_t unit = Allocator::alignment;
  const std::uint64_t inside = (std::max<std::uint64_t>(bytes, 1) + 3) / 4 * 4;
  return {inside, (inside + unit - 1) / unit * unit + unit - inside};
}

template <class See>
void for_each_arena_buffer(const Plan& plan, const PlanStep& step, const See& see) {
  const StepAccess access = access_of(step);
  for (const auto* list : {&access.reads, &access.writes})
    for (const int b : *list)
      if (plan.buffers[static_cast<std::size_t>(b)].place == PlanBuffer::Place::arena)
        see(static_cast<std::size_t>(b));
}

}  // namespace

std::uint64_t RedZones::with_zone(std::uint64_t bytes) {
  const Zone zone = zone_of(bytes);
  return zone.begin + zone.bytes;
}

void RedZones::fill_slice(Address address, std::uint64_t bytes) {
  const Zone zone = zone_of(bytes);
  recorder_.fill(address + zone.begin, nan_word, zone.bytes);
}

void RedZones::check(Address begin, std::uint64_t bytes, std::string_view what) {
  std::vector<std::uint32_t> words(bytes / 4);
  recorder_.download(words.data(), begin, bytes);
  if (std::any_of(words.begin(), words.end(), [](std::uint32_t w) { return w != nan_word; }))
    throw DeviceError(fmt::format("[vulkan] something wrote behind the end of {}", what));
}

void RedZones::check_slices() {
  std::vector<Address> ends;
  allocator_.visit([&](Address address, std::uint64_t bytes, bool used) {
    if (used) ends.push_back(address + bytes);
  });
  for (const Address end : ends)
    check(end - Allocator::alignment, Allocator::alignment, "a tensor");
}

void RedZones::fill_arena(const Plan& plan, const PlanStep& step,
                          std::span<void* const> addresses) {
  for_each_arena_buffer(plan, step, [&](std::size_t b) {
    fill_slice(reinterpret_cast<Address>(addresses[b]),
               static_cast<std::uint64_t>(plan.buffers[b].bytes));
  });
}

void RedZones::check_arena(const Plan& plan, const PlanStep& step,
                           std::span<void* const> addresses) {
  for_each_arena_buffer(plan, step, [&](std::size_t b) {
    const Zone zone = zone_of(static_cast<std::uint64_t>(plan.buffers[b].bytes));
    check(reinterpret_cast<Address>(addresses[b]) + zone.begin, zone.bytes, step.label);
  });
}

}  // namespace genera::vulkan
