#include "backends/cpu/cpu_backend.h"

#include "backends/cpu/conv_step.h"
#include "backends/cpu/cpu_report.h"
#include "backends/cpu/gemm.h"
#include "backends/cpu/kernel_executor.h"
#include "backends/cpu/matmul_step.h"
#include "backends/cpu/primitive_steps.h"
#include "engine/plan/lanes.h"

#include <algorithm>
#include <array>

namespace genera::cpu {
namespace {

/// A fused kernel bound to the plan's buffers.
class BoundKernel {
 public:
  explicit BoundKernel(const KernelStep& step) : step_(step), executor_(step.kernel) {
    addresses_.resize(step.buffers.size());
    scalars_.resize(step.scalars.size());
  }
  void bind(std::span<void* const> addresses, std::span<const ScalarBinding> scalars) {
    for (std::size_t i = 0; i < addresses_.size(); ++i)
      addresses_[i] = addresses[static_cast<std::size_t>(step_.buffers[i])];
    for (std::size_t i = 0; i < scalars_.size(); ++i) {
      const ScalarBinding& scalar = scalars[static_cast<std::size_t>(step_.scalars[i])];
      scalars_[i] = {scalar.floating, scalar.integer};
    }
  }
  void run() const { executor_.run(addresses_, scalars_); }
  void run_box(std::span<const std::int64_t> begin, std::span<const std::int64_t> end) const {
    executor_.run_box(addresses_, scalars_, begin, end);
  }
  /// The same with the box of plan buffer `buffer` at `block`.
  void run_box(std::span<const std::int64_t> begin, std::span<const std::int64_t> end, int buffer,
               void* block) const {
    const auto number = std::find(step_.buffers.begin(), step_.buffers.end(), buffer);
    const auto index = static_cast<std::size_t>(number - step_.buffers.begin());
    std::array<void*, Kernel::max_buffers> addresses;
    std::copy(addresses_.begin(), addresses_.end(), addresses.begin());
    addresses[index] = block;
    executor_.run_box({addresses.data(), addresses_.size()}, scalars_, begin, end,
                      static_cast<int>(index));
  }

 private:
  const KernelStep& step_;
  KernelExecutor executor_;
  std::vector<void*> addresses_;
  std::vector<ScalarValue> scalars_;
};

class KernelRunner final : public StepRunner {
 public:
  explicit KernelRunner(const KernelStep& step) : kernel_(step) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars) override {
    kernel_.bind(addresses, scalars);
    kernel_.run();
  }

 private:
  BoundKernel kernel_;
};

/// A matrix product or convolution with a kernel on each finished block.
class EpilogueRunner final : public StepRunner, private GemmEpilogue, private ConvEpilogue {
 public:
  explicit EpilogueRunner(const PlanStep& step)
      : kernel_(step.kernel),
        output_(step.primitive.outputs[0].buffer),
        product_(step.primitive.op == Op::MatMul ? make_matmul_runner(step.primitive, this)
                                                 : make_conv_runner(step.primitive, this)) {}
  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars) override {
    kernel_.bind(addresses, scalars);
    product_->run(addresses, scalars);
  }

 private:
  void run(std::int64_t, std::int64_t row0, std::int64_t row1, std::int64_t col0, std::int64_t col1,
           float* block) const override {
    const std::int64_t begin[] = {row0, col0}, end[] = {row1, col1};
    if (block == nullptr) return kernel_.run_box(begin, end);
    kernel_.run_box(begin, end, output_, block);
  }
  void run(const ConvBlock& block) const override { kernel_.run_box(block.begin, block.end); }

  BoundKernel kernel_;
  int output_;  // the product's, in the plan
  std::unique_ptr<StepRunner> product_;
};

std::unique_ptr<StepRunner> make_runner(const PlanStep& step) {
  switch (step.kind) {
    case PlanStep::Kind::kernel:
      return std::make_unique<KernelRunner>(step.kernel);
    case PlanStep::Kind::epilogue:
      return std::make_unique<EpilogueRunner>(step);
    default:
      return make_primitive_runner(step.primitive);
  }
}

class CpuExecutable final : public Executable {
 public:
  explicit CpuExecutable(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {
    for (const PlanStep& step : plan_->steps) steps_.push_back(make_runner(step));
  }

  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars,
           const StepHook& hook) override {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (hook) hook(static_cast<int>(i), false);
      steps_[i]->run(addresses, scalars);
      if (hook) hook(static_cast<int>(i), true);
    }
  }

 private:
  std::shared_ptr<const Plan> plan_;
  std::vector<std::unique_ptr<StepRunner>> steps_;
};

class CpuBackend final : public Backend {
 public:
  std::string_view name() const override { return "cpu"; }
  std::string report() const override { return cpu::report(); }

  bool can_fuse(Op op, std::span<const DType> types) const override {
    return op == Op::Random || fits_lanes(op, types);  // a random number's key is the host's
  }
  bool can_attach_epilogue(const PrimitiveStep& step, const Kernel& kernel) const override {
    if (step.outputs[0].dtype != DType::f32) return false;
    const bool one_result = kernel.stores.size() == 1;
    if (step.op == Op::Conv) return one_result && conv_takes_epilogue(step);
    // Several results, as an optimiser has: in the caches whole tensors have the longer rows; beyond
    // them it counts that the product never goes to memory.
    return one_result || KernelExecutor(kernel).passes_over_memory();
  }
  bool strided_matmul(DType dtype) const override { return dtype == DType::f32; }

  std::unique_ptr<Executable> compile(std::shared_ptr<const Plan> plan) override {
    return std::make_unique<CpuExecutable>(std::move(plan));
  }
};

}  // namespace

Backend& backend() {
  static auto& it = *new CpuBackend;  // never freed: see tables()
  return it;
}

}  // namespace genera::cpu
