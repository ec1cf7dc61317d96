#include "backends/backend.h"
#include "backends/vulkan/context.h"
#include "backends/vulkan/executable.h"
#include "backends/vulkan/print_product.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace genera::vulkan {
namespace {

bool has_lanes(DType dtype) {
  return dtype == DType::f32 || dtype == DType::i32 || dtype == DType::u32 ||
         dtype == DType::boolean;
}
/// What shaders load and store, though not compute with: rounding between operations would be lost.
bool is_stored_only(DType dtype) {
  return dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::u8;
}

class VulkanBackend final : public Backend {
 public:
  explicit VulkanBackend(std::string_view selector)
      : name_(selector.empty() ? "vulkan" : "vulkan:" + std::string(selector)),
        context_(selector) {}

  std::string_view name() const override { return name_; }
  std::string report() const override { return context_.report(); }

  bool can_fuse(Op op, std::span<const DType> types) const override {
    const DType result = types.back();
    // Keys are numbers of 64 bits that the host gives.
    if (op == Op::Random || (op == Op::Scalar && result == DType::i64)) return true;
    if (op == Op::Cast)
      return has_lanes(result) && (has_lanes(types[0]) || is_stored_only(types[0]));
    const OpClass kind = info(op).op_class;
    const bool moves = kind == OpClass::Movement || op == Op::SliceUpdate || op == Op::Barrier;
    return std::all_of(types.begin(), types.end(),
                       [&](DType t) { return has_lanes(t) || (moves && is_stored_only(t)); });
  }
  bool can_attach_epilogue(const PrimitiveStep& step) const override {
    return takes_epilogue(step);
  }
  bool strided_matmul(DType dtype) const override {
    return dtype != DType::f64 &&
           dtype != DType::i64;  // those run on the host, which wants them contiguous
  }

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

extern "C" __attribute__((visibility("default"))) genera::Backend* genera_open_backend(
    const char* selector) {
  return &genera::vulkan::open_backend(selector);
}
