/// Fused kernels on the CPU: elementwise work, reductions and random numbers.
#pragma once

#include "engine/plan/kernel.h"

#include <cstdint>
#include <memory>
#include <span>

namespace genera::cpu {

/// A run-time scalar. Scalar instructions read `floating` for f32 and `integer` for i32 and u32;
/// random keys are the 64 bits of `integer`.
struct ScalarValue {
  double floating = 0;
  std::int64_t integer = 0;
};

/// Executes a Kernel. Made once, run many times, from any thread. Results depend on the kernel and
/// the data alone: the bits are the same for any number of threads, any strides and whatever else
/// is fused into the kernel.
///
/// A store's buffer may be the memory of a load's if their views are identical and element sizes
/// equal.
class KernelExecutor {
 public:
  /// Throws ArgumentError for a kernel that is not well formed (operands that name no earlier
  /// instruction, kept stores of full values, f64 or i64 buffers).
  explicit KernelExecutor(const Kernel& kernel);
  ~KernelExecutor();
  KernelExecutor(KernelExecutor&&) noexcept;
  KernelExecutor& operator=(KernelExecutor&&) noexcept;

  /// Runs over the whole loop space on thread_count() threads where that pays. buffers[i] points to
  /// element 0 of buffer i, which views count from. Allocates nothing after the first runs.
  void run(std::span<void* const> buffers, std::span<const ScalarValue> scalars) const;

  /// Runs on this thread over begin[d] <= i_d < end[d] only; for kernels without reduced dimensions
  /// (ArgumentError otherwise). Used for epilogues while a tile of a product is in cache.
  /// buffers[block], unless it is -1, holds the box alone: its views count indices from `begin`.
  void run_box(std::span<void* const> buffers, std::span<const ScalarValue> scalars,
               std::span<const std::int64_t> begin, std::span<const std::int64_t> end,
               int block = -1) const;

  /// Whether an elementwise kernel reads and writes more than the caches close to a core hold.
  bool passes_over_memory() const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace genera::cpu
