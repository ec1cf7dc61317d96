#include "backends/vulkan/context.h"

#include "backends/vulkan/shader_compiler.h"
#include "backends/vulkan/tune.h"

#include <fmt/format.h>

namespace genera::vulkan {

Context::Context(std::string_view selector)
    : device(selector),
      recorder(device),
      allocator(device, [this] { recorder.finish("making room"); }),
      pipelines(device),
      tiles(tuned_tiles(device)),
      red_zones(allocator, recorder) {
  recorder.set_allocator(allocator);
}

void* Context::allocate(std::size_t bytes) {
  const Address address = allocator.allocate(bytes);
  if (device.limits().red_zones) red_zones.fill_slice(address, bytes);
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

std::string Context::report() const {
  const Counters& c = recorder.counters();
  std::string text = fmt::format(
      "device {}\ndispatches {}\nbarriers {}\nsubmissions {}\nrecordings {}\nrecordings_kept "
      "{}\nwaits {}\nthrottles {}\nsegments {}\n"
      "uploaded_bytes {}\ndownloaded_bytes {}\npipelines {}\nshaders_compiled {}\n"
      "memory_bytes {}\nmemory_in_use_bytes {}\nmemory_requests {}\nvalidation_messages {}\n",
      device.name(), c.dispatches, c.barriers, c.submissions, c.recordings, c.recordings_kept,
      c.waits, c.throttles, segments, c.uploaded, c.downloaded, pipelines.pipelines_made(),
      shaders_compiled(), allocator.block_bytes(), allocator.live_bytes(), allocator.driver_calls(),
      device.messages());
  text += "tiles " + tiles.text();
  for (const auto& [name, count] : host_steps)
    text += fmt::format("host_step {} {}\n", name, count);
  return text;
}

}  // namespace genera::vulkan
