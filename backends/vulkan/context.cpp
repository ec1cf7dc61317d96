#include "backends/vulkan/context.h"

#include <genera/error.h>

#include "backends/vulkan/shader_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace genera::vulkan {

Context::Context(std::string_view selector)
    : device(selector),
      recorder(device),
      allocator(device, [this] { recorder.finish("making room"); }),
      pipelines(device) {
  recorder.set_allocator(allocator);
}

void* Context::allocate(std::size_t bytes) {
  const Address address = allocator.allocate(bytes);
  if (device.limits().red_zones) {
    const std::uint64_t inside = (std::max<std::uint64_t>(bytes, 1) + 3) / 4 * 4;
    const std::uint64_t end =
        (inside + Allocator::alignment - 1) / Allocator::alignment * Allocator::alignment +
        Allocator::alignment;
    recorder.fill(address + inside, 0xffffffffu, end - inside);
  }
  return as_pointer(address);
}

Address Context::scratch(std::uint64_t bytes) {
  if (bytes > scratch_bytes_) {
    if (scratch_) allocator.release(scratch_);
    scratch_ = 0;
    scratch_bytes_ = 0;
    scratch_ = as_address(allocate(bytes));
    scratch_bytes_ = bytes;
  }
  return scratch_;
}

void Context::check_red_zones() {
  std::vector<std::uint32_t> zone(Allocator::alignment / 4);
  std::vector<std::pair<Address, std::uint64_t>> slices;
  allocator.visit([&](Address address, std::uint64_t bytes, bool used) {
    if (used) slices.emplace_back(address, bytes);
  });
  for (const auto& [address, bytes] : slices) {
    const Address begin = address + bytes - Allocator::alignment;
    recorder.download(zone.data(), begin, Allocator::alignment);
    if (std::any_of(zone.begin(), zone.end(), [](std::uint32_t w) { return w != 0xffffffffu; }))
      throw DeviceError(fmt::format("[vulkan] something wrote behind a slice of {} bytes", bytes));
  }
}

std::string Context::report() const {
  const Counters& c = recorder.counters();
  std::string text = fmt::format(
      "device {}\ndispatches {}\nbarriers {}\nsubmissions {}\nwaits {}\nsegments {}\n"
      "uploaded_bytes {}\ndownloaded_bytes {}\npipelines {}\nshaders_compiled {}\n"
      "memory_bytes {}\nmemory_in_use_bytes {}\nmemory_requests {}\nvalidation_messages {}\n",
      device.name(), c.dispatches, c.barriers, c.submissions, c.waits, segments, c.uploaded,
      c.downloaded, pipelines.pipelines_made(), shaders_compiled(), allocator.block_bytes(),
      allocator.live_bytes(), allocator.driver_calls(), device.messages());
  for (const auto& [name, count] : host_steps)
    text += fmt::format("host_step {} {}\n", name, count);
  return text;
}

}  // namespace genera::vulkan
