/// What a compute backend implements. The conformance suite (tests/conformance_test.cpp) runs every primitive on every backend
/// against `reference`.
#pragma once

#include <genera/dtype.h>

#include "engine/core/storage.h"
#include "engine/plan/plan.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace genera {

/// A host number bound to a plan's scalar at run time.
struct ScalarBinding {
  double floating = 0;
  std::int64_t integer = 0;
};

/// A plan made ready for a device.
class Executable {
 public:
  virtual ~Executable() = default;
  /// Called before and after step number i when set; for the profiler and the hunt for NaN.
  using StepHook = std::function<void(int step, bool done)>;
  /// Whether the next run's indices of Gather and ScatterAdd are known to be in range, so that nobody need look at them.
  virtual void trust_indices(bool) {}
  /// Bytes that it holds besides its plan, about and always the same number: what is remembered is bounded by them.
  virtual std::size_t bytes() const { return 0; }
  /// Runs all steps. addresses[b] is where buffer b of the plan lies, in the backend's memory.
  virtual void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars,
                   const StepHook& hook) = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// For people: the device and what it did, as lines of "name value".
  virtual std::string report() const { return {}; }
  /// Returns when all that was run is done. With graph_mutex() held.
  virtual void wait() {}
  /// Measures what kernels' sizes suit the device, uses and stores it; what it found, for people. DeviceError where there is no choice.
  virtual std::string tune();
  /// Whether a fused kernel may compute `op` with these element types (inputs and output). Where false, the plan holds
  /// the primitive as a step of its own.
  virtual bool can_fuse(Op op, std::span<const DType> types) const = 0;
  /// Whether the kernel, which reads the output of the step (a MatMul or Conv) element by element,
  /// should run as its epilogue.
  virtual bool can_attach_epilogue(const PrimitiveStep& step, const Kernel& kernel) const = 0;
  /// Whether the step is not the device's but the host's, which copies its operands there and back.
  virtual bool on_host(const PrimitiveStep& step) const {
    static_cast<void>(step);
    return false;
  }
  /// Whether MatMul steps take strided inputs.
  virtual bool strided_matmul(DType dtype) const = 0;
  /// Whether contractions may round a product before they add it to a sum, so that each term is rounded twice.
  virtual bool rounds_products() const { return false; }
  /// Where this backend's values lie; null: in the host's memory. Backends on one device share it.
  virtual DeviceMemory* memory() { return nullptr; }
  /// How the arena is cut: offsets are multiples of `alignment`, and at least `gap` bytes after each buffer stay unused.
  struct ArenaLayout {
    std::int64_t alignment = 64;
    std::int64_t gap = 0;
  };
  virtual ArenaLayout arena_layout() const { return {}; }
  /// Throws DeviceError when it cannot run a step of the plan.
  virtual std::unique_ptr<Executable> compile(std::shared_ptr<const Plan> plan) = 0;
};

/// The backend called "cpu" or "reference", or "vulkan", "vulkan:N", "vulkan:NAME" on the device of that number or with NAME in its
/// name, which opens the module (DeviceError where that fails); ArgumentError for another name.
Backend& find_backend(std::string_view name);
/// The backend that evaluation uses; "cpu" at first.
Backend& current_backend();
void set_current_backend(std::string_view name);
/// Tells backends apart in the keys of plans; below 64.
int backend_number(const Backend& backend);

}  // namespace genera
