#include "backends/vulkan/pipeline.h"

#include <genera/error.h>

#include "backends/vulkan/shader_compiler.h"

#include <fmt/format.h>

#include <vector>

namespace genera::vulkan {

Pipeline::~Pipeline() { device_.vk().vkDestroyPipeline(device_.handle(), pipeline_, nullptr); }

PipelineCache::~PipelineCache() {
  for (const Layout& layout : layouts_) {
    device_.vk().vkDestroyPipelineLayout(device_.handle(), layout.pipeline, nullptr);
    device_.vk().vkDestroyDescriptorSetLayout(device_.handle(), layout.set, nullptr);
  }
}

VkPipelineLayout PipelineCache::layout(std::size_t bindings) {
  if (bindings >= layouts_.size() || bindings > device_.limits().push_descriptors)
    throw DeviceError(fmt::format("[vulkan] a kernel needs {} buffers, {} binds {} at once",
                                  bindings, device_.name(), device_.limits().push_descriptors));
  Layout& layout = layouts_[bindings];
  if (layout.pipeline) return layout.pipeline;
  std::vector<VkDescriptorSetLayoutBinding> list(bindings);
  for (std::size_t b = 0; b < bindings; ++b)
    list[b] = {static_cast<std::uint32_t>(b), VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
               VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  VkDescriptorSetLayoutCreateInfo set{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
  set.flags = VK_DESCRIPTOR_SET_LAYOUT_CREATE_PUSH_DESCRIPTOR_BIT_KHR;
  set.bindingCount = static_cast<std::uint32_t>(bindings);
  set.pBindings = list.data();
  check(device_.vk().vkCreateDescriptorSetLayout(device_.handle(), &set, nullptr, &layout.set),
        "vkCreateDescriptorSetLayout");
  VkPipelineLayoutCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
  info.setLayoutCount = 1;
  info.pSetLayouts = &layout.set;
  check(device_.vk().vkCreatePipelineLayout(device_.handle(), &info, nullptr, &layout.pipeline),
        "vkCreatePipelineLayout");
  return layout.pipeline;
}

std::shared_ptr<const Pipeline> PipelineCache::get(const std::string& text, std::size_t bindings) {
  constexpr std::size_t many = 4096;
  if (pipelines_.size() > many)
    std::erase_if(pipelines_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const Pipeline>& known = pipelines_[text];
  if (auto pipeline = known.lock()) return pipeline;
  const std::vector<std::uint32_t> words = compile_shader(text, device_.limits());
  VkShaderModuleCreateInfo module{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
  module.codeSize = words.size() * sizeof(std::uint32_t);
  module.pCode = words.data();
  VkComputePipelineCreateInfo info{VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
  info.layout = layout(bindings);
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.pName = "main";
  check(device_.vk().vkCreateShaderModule(device_.handle(), &module, nullptr, &info.stage.module),
        "vkCreateShaderModule");
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result = device_.vk().vkCreateComputePipelines(device_.handle(), VK_NULL_HANDLE, 1,
                                                                &info, nullptr, &pipeline);
  device_.vk().vkDestroyShaderModule(device_.handle(), info.stage.module, nullptr);
  check(result, "vkCreateComputePipelines");
  device_.check_messages();
  ++made_;
  device_.note_pipeline();
  auto made = std::make_shared<const Pipeline>(device_, info.layout, pipeline);
  known = made;
  return made;
}

}  // namespace genera::vulkan
