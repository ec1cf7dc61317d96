#include "backends/cpu/primitive_steps.h"

#include "backends/cpu/conv_step.h"
#include "backends/cpu/gemm.h"
#include "backends/cpu/matmul_step.h"
#include "backends/primitive_operands.h"

namespace genera::cpu {
namespace {

class ReferenceRunner final : public StepRunner {
 public:
  explicit ReferenceRunner(const PrimitiveStep& step) : step_(step) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars) override {
    run_by_reference(step_, addresses, scalars);
  }

 private:
  const PrimitiveStep& step_;
};

}  // namespace

std::unique_ptr<StepRunner> make_primitive_runner(const PrimitiveStep& step) {
  if (step.op == Op::MatMul && step.outputs[0].dtype == DType::f32) return make_matmul_runner(step);
  if (step.op == Op::Conv && step.outputs[0].dtype == DType::f32) return make_conv_runner(step);
  return std::make_unique<ReferenceRunner>(step);
}

}  // namespace genera::cpu
