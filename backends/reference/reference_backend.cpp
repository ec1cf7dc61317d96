#include "backends/reference/reference_backend.h"

#include "backends/primitive_operands.h"

namespace genera::reference {
namespace {

class ReferenceExecutable final : public Executable {
 public:
  explicit ReferenceExecutable(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}

  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars,
           const StepHook& hook) override {
    for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
      if (hook) hook(static_cast<int>(i), false);
      run_by_reference(plan_->steps[i].primitive, addresses, scalars);
      if (hook) hook(static_cast<int>(i), true);
    }
  }

 private:
  std::shared_ptr<const Plan> plan_;
};

class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }
  bool can_fuse(Op, std::span<const DType>) const override { return false; }
  bool can_attach_epilogue(const PrimitiveStep&, const Kernel&) const override { return false; }
  bool strided_matmul(DType) const override { return false; }
  bool rounds_products() const override { return true; }
  std::unique_ptr<Executable> compile(std::shared_ptr<const Plan> plan) override {
    return std::make_unique<ReferenceExecutable>(std::move(plan));
  }
};

}  // namespace

Backend& backend() {
  static ReferenceBackend it;
  return it;
}

}  // namespace genera::reference
