/// The one buffer that host and device both see.
#pragma once

#include "backends/vulkan/device.h"

#include <cstddef>
#include <cstdint>

namespace genera::vulkan {

/// Mapped, coherent memory that is handed out from front to back, and from the front again once the device is done with it.
class Staging {
 public:
  explicit Staging(Device& device);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  /// A part of at most `bytes` bytes that nobody uses; bytes is 0 when there is none left until reset().
  struct Part {
    std::byte* host;
    std::uint64_t offset;
    std::uint64_t bytes;
  };
  Part take(std::uint64_t bytes);
  /// All parts are free again. Only when the device is done with them.
  void reset() { next_ = 0; }
  bool empty() const { return next_ == 0; }
  VkBuffer buffer() const { return buffer_; }

 private:
  void create();
  void destroy();

  static constexpr std::uint64_t size = std::uint64_t{8} << 20;
  Device& device_;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VkDeviceMemory memory_ = VK_NULL_HANDLE;
  std::byte* mapped_ = nullptr;
  std::uint64_t next_ = 0;
};

}  // namespace genera::vulkan
