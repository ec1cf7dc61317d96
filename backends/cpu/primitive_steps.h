/// Primitive steps on the CPU: which have kernels of their own, and the loops of the reference for the rest.
#pragma once

#include "backends/backend.h"

#include <memory>
#include <span>

namespace genera::cpu {

/// One step of a plan, made ready.
class StepRunner {
 public:
  StepRunner() = default;
  StepRunner(const StepRunner&) = delete;
  StepRunner& operator=(const StepRunner&) = delete;
  virtual ~StepRunner() = default;
  virtual void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars) = 0;
};

/// The fastest runner that there is for the step, which must outlive it.
std::unique_ptr<StepRunner> make_primitive_runner(const PrimitiveStep& step);

}  // namespace genera::cpu
