#include "backends/vulkan/staging.h"

#include <algorithm>

namespace genera::vulkan {

Staging::Staging(Device& device) : device_(device) {
  try {
    create();
  } catch (...) {
    destroy();
    throw;
  }
}

Staging::~Staging() { destroy(); }

void Staging::create() {
  const VolkDeviceTable& vk = device_.vk();
  VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  info.size = size;
  info.usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  check(vk.vkCreateBuffer(device_.handle(), &info, nullptr, &buffer_), "vkCreateBuffer");
  VkMemoryRequirements needs;
  vk.vkGetBufferMemoryRequirements(device_.handle(), buffer_, &needs);
  VkMemoryAllocateInfo allocation{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
  allocation.allocationSize = needs.size;
  allocation.memoryTypeIndex =
      device_.memory_type(needs.memoryTypeBits, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                                    VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
  check(vk.vkAllocateMemory(device_.handle(), &allocation, nullptr, &memory_), "vkAllocateMemory");
  check(vk.vkBindBufferMemory(device_.handle(), buffer_, memory_, 0), "vkBindBufferMemory");
  void* mapped = nullptr;
  check(vk.vkMapMemory(device_.handle(), memory_, 0, size, 0, &mapped), "vkMapMemory");
  mapped_ = static_cast<std::byte*>(mapped);
}

void Staging::destroy() {
  device_.vk().vkDestroyBuffer(device_.handle(), buffer_, nullptr);
  device_.vk().vkFreeMemory(device_.handle(), memory_, nullptr);
}

Staging::Part Staging::take(std::uint64_t bytes) {
  const std::uint64_t given = std::min(bytes, size - next_);
  const Part part{mapped_ + next_, next_, given};
  next_ = std::min(size, (next_ + given + 15) / 16 * 16);
  return part;
}

}  // namespace genera::vulkan
