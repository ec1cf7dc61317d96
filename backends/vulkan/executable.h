/// A plan as commands for the device.
#pragma once

#include "backends/backend.h"
#include "backends/vulkan/context.h"
#include "backends/vulkan/dispatch.h"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace genera::vulkan {

/// Whether the host runs the step: f64 and i64, and what print_movement() leaves to it.
bool runs_on_host(const PrimitiveStep& step);

class VulkanExecutable final : public Executable {
 public:
  /// Prints and compiles every step. DeviceError where the device cannot run one.
  VulkanExecutable(Context& context, std::shared_ptr<const Plan> plan);
  ~VulkanExecutable() override;

  /// Records all steps and submits them at once. Returns before the device is done, unless a step runs on the host or `hook` wants to see
  /// each step's end.
  void run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars,
           const StepHook& hook) override;
  void trust_indices(bool trusted) override { trust_indices_ = trusted; }
  /// Its commands, two recordings of them, and the pipelines that were made for it.
  std::size_t bytes() const override { return bytes_; }

 private:
  struct Command {
    std::shared_ptr<const Pipeline> pipeline;
    std::vector<BufferUse> uses;
    std::uint32_t groups;
  };
  struct Step {
    std::optional<Command> check;  ///< looks for bad indices
    std::vector<Command> commands;
    bool on_host = false;
  };
  /// A recording of a whole run, and what it rests on.
  struct KeptRun {
    Recording recording;
    std::vector<void*> addresses;
    Address scratch = 0;
    std::uint64_t generation = 0;
  };
  Step compile(const PlanStep& step);
  void check_operands(const PlanStep& step) const;
  Command compile(const Dispatch& dispatch);
  void upload_scalars(std::span<const ScalarBinding> scalars);
  void record(const Command& command, std::span<void* const> addresses);
  bool keeps_runs(const StepHook& hook) const;
  void run_kept(std::span<void* const> addresses, Address scratch);
  void check_indices();
  void run_on_host(const PlanStep& step, std::span<void* const> addresses,
                   std::span<const ScalarBinding> scalars);

  Context& context_;
  std::shared_ptr<const Plan> plan_;
  std::vector<int> same_memory_;  // by buffer: the one whose memory it takes over, or itself
  std::vector<Step> steps_;
  std::vector<std::size_t> checked_;  // steps that look for bad indices, in order of status_
  bool trust_indices_ = false;
  bool keepable_ = false;  // on the device alone, and short enough
  // Runs take turns with these, so that one may be under way while the next is prepared.
  std::array<KeptRun, 2> kept_;
  std::array<Address, 2> scalars_{};
  std::size_t turn_ = 0;
  Address status_ = 0;  // by checked step: what print_check() writes
  std::uint64_t scratch_bytes_ = 0;
  std::size_t bytes_ = 0;
  std::vector<Binding> bindings_;  // record()'s, kept for its memory
};

}  // namespace genera::vulkan
