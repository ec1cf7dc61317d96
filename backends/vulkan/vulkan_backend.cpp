#include "backends/module.h"
#include "backends/vulkan/context.h"
#include "backends/vulkan/executable.h"
#include "backends/vulkan/print_product.h"
#include "backends/vulkan/tune.h"
#include "engine/core/warning.h"
#include "engine/plan/lanes.h"

#include <map>
#include <mutex>

namespace genera::vulkan {
namespace {

class VulkanBackend final : public Backend {
 public:
  explicit VulkanBackend(std::string_view selector)
      : name_(selector.empty() ? "vulkan" : "vulkan:" + std::string(selector)),
        context_(selector) {}

  std::string_view name() const override { return name_; }
  std::string report() const override { return context_.report(); }
  void wait() override { context_.recorder.finish("what was asked for"); }

  std::string tune() override { return vulkan::tune(context_); }

  bool can_fuse(Op op, std::span<const DType> types) const override {
    // Keys are numbers of 64 bits that the host gives.
    return op == Op::Random || (op == Op::Scalar && types.back() == DType::i64) ||
           fits_lanes(op, types);
  }
  bool can_attach_epilogue(const PrimitiveStep& step, const Kernel& kernel) const override {
    // With several results, as an optimiser has, it was never tried.
    return kernel.stores.size() == 1 && takes_epilogue(step);
  }
  bool on_host(const PrimitiveStep& step) const override { return runs_on_host(step); }
  bool strided_matmul(DType dtype) const override {
    return dtype != DType::f64 &&
           dtype != DType::i64;  // those run on the host, which wants them contiguous
  }

  bool rounds_products() const override { return true; }  // GLSL's fma may be a product and a sum

  DeviceMemory* memory() override { return &context_; }
  ArenaLayout arena_layout() const override {
    return {Allocator::alignment,
            context_.device.limits().red_zones ? std::int64_t{Allocator::alignment} : 0};
  }
  std::unique_ptr<Executable> compile(std::shared_ptr<const Plan> plan) override {
    return std::make_unique<VulkanExecutable>(context_, std::move(plan));
  }

 private:
  std::string name_;
  Context context_;
};

}  // namespace

Backend& open_backend(std::string_view selector) {
  static std::mutex mutex;
  // Never freed: values may outlive everything.
  static auto* backends = new std::map<std::string, std::unique_ptr<VulkanBackend>, std::less<>>;
  std::lock_guard lock(mutex);
  auto& backend = (*backends)[std::string(selector)];
  if (!backend) backend = std::make_unique<VulkanBackend>(selector);
  return *backend;
}

}  // namespace genera::vulkan

extern "C" {
__attribute__((visibility("default"))) extern const genera::Module genera_module;
const genera::Module genera_module{
    genera::interface_digest,
    [](std::string_view selector) -> genera::Backend& {
      return genera::vulkan::open_backend(selector);
    },
    &genera::vulkan::list_devices,
    [](void (*handler)(std::string_view)) { genera::hand_warnings_to(handler); }};
}
