/// One device with everything that works on it.
#pragma once

#include "backends/vulkan/allocator.h"
#include "backends/vulkan/device.h"
#include "backends/vulkan/pipeline.h"
#include "backends/vulkan/recorder.h"
#include "backends/vulkan/red_zones.h"
#include "backends/vulkan/tiles.h"
#include "engine/core/storage.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace genera::vulkan {

/// The engine's view of an Address, and back.
inline void* as_pointer(Address address) { return reinterpret_cast<void*>(address); }
inline Address as_address(const void* pointer) { return reinterpret_cast<Address>(pointer); }

class Context final : public DeviceMemory {
 public:
  explicit Context(std::string_view selector);

  Device device;
  Recorder recorder;
  Allocator allocator;
  PipelineCache pipelines;
  Tiles tiles;         ///< the default, or what a tuning run found on this device
  RedZones red_zones;  ///< used where limits().red_zones says so

  // --- the engine's memory; calls but release() are made under graph_mutex() ---
  void* allocate(std::size_t bytes) override;
  void release(void* address) noexcept override { allocator.release(as_address(address)); }
  void upload(void* to, const void* from, std::size_t bytes) override {
    recorder.upload(as_address(to), from, bytes);
  }
  void download(void* to, const void* from, std::size_t bytes) override {
    recorder.download(to, as_address(from), bytes);
  }
  void fill(void* to, std::uint32_t word, std::size_t bytes) override {
    recorder.fill(as_address(to), word, bytes);
  }

  /// At least `bytes` bytes for one step's own use.
  Address scratch(std::uint64_t bytes);

  /// By the primitive's name: how often a step ran on the host.
  std::map<std::string, std::uint64_t, std::less<>> host_steps;
  std::uint64_t segments = 0;  ///< submissions more than runs, for watchdogs

  std::string report() const;

 private:
  Address scratch_ = 0;
  std::uint64_t scratch_bytes_ = 0;
};

}  // namespace genera::vulkan
