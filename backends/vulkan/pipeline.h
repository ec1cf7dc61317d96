/// Compiled kernels, found by their text.
#pragma once

#include "backends/vulkan/device.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

namespace genera::vulkan {

/// A compute pipeline with its bindings in descriptor set 0.
class Pipeline {
 public:
  Pipeline(Device& device, VkPipelineLayout layout, VkPipeline pipeline)
      : device_(device), layout_(layout), pipeline_(pipeline) {}
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();
  VkPipeline handle() const { return pipeline_; }
  VkPipelineLayout layout() const { return layout_; }

 private:
  Device& device_;
  VkPipelineLayout layout_;  // the cache's
  VkPipeline pipeline_;
};

/// Buffers that a kernel may bind at most, whatever the device.
constexpr std::size_t most_bindings = 32;

/// Kernels live as long as an executable holds them.
class PipelineCache {
 public:
  explicit PipelineCache(Device& device) : device_(device) {}
  PipelineCache(const PipelineCache&) = delete;
  PipelineCache& operator=(const PipelineCache&) = delete;
  ~PipelineCache();

  /// The kernel of this GLSL text (behind the prelude), which binds `bindings` buffers. DeviceError where it does not compile or the device
  /// binds fewer.
  std::shared_ptr<const Pipeline> get(const std::string& text, std::size_t bindings);
  std::uint64_t pipelines_made() const { return made_; }

 private:
  struct Layout {
    VkDescriptorSetLayout set = VK_NULL_HANDLE;
    VkPipelineLayout pipeline = VK_NULL_HANDLE;
  };
  VkPipelineLayout layout(std::size_t bindings);

  Device& device_;
  std::array<Layout, most_bindings + 1> layouts_;  // by the number of bindings
  std::unordered_map<std::string, std::weak_ptr<const Pipeline>> pipelines_;
  std::uint64_t made_ = 0;
};

}  // namespace genera::vulkan
