#include "backends/vulkan/executable.h"

#include <genera/error.h>

#include "backends/primitive_operands.h"
#include "backends/vulkan/print_kernel.h"
#include "backends/vulkan/print_movement.h"
#include "backends/vulkan/print_product.h"
#include "engine/plan/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace genera::vulkan {
namespace {

// Of a checked step: a binding of its own.
constexpr std::size_t status_bytes = Allocator::alignment;
constexpr std::size_t scalar_bytes = BufferUse::scalar_words * sizeof(std::uint32_t);

// What drivers keep is not said by any call. Lavapipe takes some 400 KiB for a pipeline and 1.3 KiB for a recorded dispatch, of which there are two; a GPU's driver is
// taken to need less for a pipeline.
constexpr std::size_t pipeline_bytes = 128 << 10, command_bytes = 4 << 10;

/// Whether the step's values are of types that shaders compute with; what is not runs on the host.
bool held(const PrimitiveStep& step) {
  const auto wide = [](const PlanOperand& operand) {
    return operand.dtype == DType::f64 || operand.dtype == DType::i64;
  };
  return std::none_of(step.inputs.begin(), step.inputs.end(), wide) &&
         std::none_of(step.outputs.begin(), step.outputs.end(), wide);
}

/// Buffers of outputs that take over a donated leaf's memory are seen as that leaf's, so that a kernel which reads the one and
/// writes the other binds the memory once.
std::vector<int> shared_memory(const Plan& plan) {
  std::vector<int> same(plan.buffers.size());
  for (std::size_t b = 0; b < same.size(); ++b) same[b] = static_cast<int>(b);
  for (std::size_t b = 0; b < same.size(); ++b) {
    const PlanBuffer& buffer = plan.buffers[b];
    if (buffer.place != PlanBuffer::Place::output) continue;
    const int donor = plan.output_memory[static_cast<std::size_t>(buffer.where)].donor;
    for (std::size_t leaf = 0; donor >= 0 && leaf < same.size(); ++leaf)
      if (plan.buffers[leaf].place == PlanBuffer::Place::leaf && plan.buffers[leaf].where == donor)
        same[b] = static_cast<int>(leaf);
  }
  return same;
}

}  // namespace

bool runs_on_host(const PrimitiveStep& step) {
  if (!held(step)) return true;
  if (step.op == Op::MatMul || step.op == Op::Conv || !kernel_of(step).kernel.code.empty())
    return false;
  int most = 0;
  for (const auto* list : {&step.inputs, &step.outputs})
    for (const PlanOperand& operand : *list) most = std::max(most, operand.buffer);
  return print_movement(step, std::vector<int>(static_cast<std::size_t>(most) + 1)).empty();
}

VulkanExecutable::VulkanExecutable(Context& context, std::shared_ptr<const Plan> plan)
    : context_(context), plan_(std::move(plan)), same_memory_(shared_memory(*plan_)) {
  const std::uint64_t pipelines_before = context_.pipelines.pipelines_made();
  std::uint64_t work = 0;
  bool on_device = true, any_command = false;
  for (const PlanStep& step : plan_->steps) {
    const bool on_host = step.kind == PlanStep::Kind::primitive && runs_on_host(step.primitive);
    if (!on_host) check_operands(step);
    steps_.push_back(on_host ? Step{{}, {}, true} : compile(step));
    work += static_cast<std::uint64_t>(step.flops + step.bytes);
    on_device &= !on_host;
    any_command |= !steps_.back().commands.empty();
    bytes_ += steps_.back().commands.size() * command_bytes;
  }
  bytes_ += (context_.pipelines.pipelines_made() - pipelines_before) * pipeline_bytes;
  keepable_ = on_device && any_command && work <= context_.device.limits().segment_work;
  if (!checked_.empty()) status_ = as_address(context_.allocate(checked_.size() * status_bytes));
  if (!plan_->scalars.empty())
    for (Address& scalars : scalars_)
      scalars = as_address(context_.allocate(plan_->scalars.size() * scalar_bytes));
}

VulkanExecutable::~VulkanExecutable() {
  if (status_) context_.allocator.release(status_);
  for (const Address scalars : scalars_)
    if (scalars) context_.allocator.release(scalars);
  try {
    context_.recorder.finish("the end of a plan");  // its pipelines may be in use
    for (KeptRun& run : kept_) context_.recorder.release(run.recording);
  } catch (const Error&) {  // a lost device uses nothing
  }
}

void VulkanExecutable::check_operands(const PlanStep& step) const {
  const StepAccess access = access_of(step);
  for (const auto* list : {&access.reads, &access.writes})
    for (const int b : *list) {
      const PlanBuffer& buffer = plan_->buffers[static_cast<std::size_t>(b)];
      check_dtype(buffer.dtype, context_.device.limits());
      constexpr std::int64_t countable = (std::int64_t{1} << 31) - 1;  // by shaders' integers
      if (static_cast<std::uint64_t>(buffer.bytes) > context_.device.limits().binding_bytes ||
          buffer.shape.elements() > countable)
        throw DeviceError(
            fmt::format("[vulkan] {} needs {} of {}, {} bytes; shaders see at most {} bytes of one "
                        "tensor on {}: use smaller batches",
                        step.label, name(buffer.dtype), to_string(buffer.shape), buffer.bytes,
                        context_.device.limits().binding_bytes, context_.device.name()));
    }
}

VulkanExecutable::Step VulkanExecutable::compile(const PlanStep& step) {
  Step result;
  std::vector<Dispatch> dispatches;
  const Limits& limits = context_.device.limits();
  if (step.kind == PlanStep::Kind::kernel) {
    dispatches = print_kernel(step.kernel, same_memory_, limits);
  } else if (step.primitive.op == Op::MatMul || step.primitive.op == Op::Conv) {
    dispatches = print_product(step, same_memory_, context_.tiles, limits);
  } else {
    const KernelStep kernel = kernel_of(step.primitive);
    dispatches = kernel.kernel.code.empty() ? print_movement(step.primitive, same_memory_)
                                            : print_kernel(kernel, same_memory_, limits);
    const auto offset = static_cast<std::int64_t>(checked_.size() * status_bytes);
    if (auto check = print_check(step.primitive, offset, same_memory_)) {
      result.check = compile(*check);
      checked_.push_back(steps_.size());
    }
  }
  for (const Dispatch& dispatch : dispatches)
    if (dispatch.groups > 0) result.commands.push_back(compile(dispatch));
  return result;
}

VulkanExecutable::Command VulkanExecutable::compile(const Dispatch& dispatch) {
  for (const BufferUse& use : dispatch.uses)
    if (use.buffer == BufferUse::scratch)
      scratch_bytes_ = std::max(scratch_bytes_, static_cast<std::uint64_t>(use.offset + use.bytes));
  return {context_.pipelines.get(dispatch.text, dispatch.uses.size()), dispatch.uses,
          static_cast<std::uint32_t>(std::min<std::int64_t>(
              dispatch.groups, std::int64_t{context_.device.limits().groups}))};
}

void VulkanExecutable::upload_scalars(std::span<const ScalarBinding> scalars) {
  if (scalars.empty()) return;
  std::vector<std::uint32_t> words;
  for (const ScalarBinding& scalar : scalars) {
    const auto bits = static_cast<std::uint64_t>(scalar.integer);
    words.insert(words.end(),
                 {std::bit_cast<std::uint32_t>(static_cast<float>(scalar.floating)),
                  static_cast<std::uint32_t>(bits), static_cast<std::uint32_t>(bits >> 32), 0u});
  }
  context_.recorder.upload(scalars_[turn_], words.data(), words.size() * sizeof(std::uint32_t));
}

void VulkanExecutable::record(const Command& command, std::span<void* const> addresses) {
  bindings_.clear();
  for (const BufferUse& use : command.uses) {
    Address address = 0;
    std::uint64_t bytes = 0;
    if (use.buffer >= 0) {
      address = as_address(addresses[static_cast<std::size_t>(use.buffer)]);
      bytes =
          static_cast<std::uint64_t>(plan_->buffers[static_cast<std::size_t>(use.buffer)].bytes);
      if (context_.device.limits().red_zones) bytes = RedZones::with_zone(bytes);
    } else if (use.buffer == BufferUse::scalars) {
      address = scalars_[turn_];
      bytes = plan_->scalars.size() * scalar_bytes;
    } else if (use.buffer == BufferUse::status) {
      address = status_ + static_cast<std::uint64_t>(use.offset);
      bytes = static_cast<std::uint64_t>(use.bytes);
    } else {
      address = context_.scratch(scratch_bytes_) + static_cast<std::uint64_t>(use.offset);
      bytes = static_cast<std::uint64_t>(use.bytes);
    }
    bindings_.push_back({address, bytes, use.reads, use.writes});
  }
  context_.recorder.dispatch(*command.pipeline, bindings_, command.groups);
}

/// The planner puts these steps before any memory is overwritten that was there before: nothing is lost when one throws.
void VulkanExecutable::check_indices() {
  std::vector<std::uint32_t> words(checked_.size() * status_bytes / sizeof(std::uint32_t));
  context_.recorder.download(words.data(), status_, checked_.size() * status_bytes);
  for (std::size_t c = 0; c < checked_.size(); ++c) {
    const std::uint32_t* const found = &words[c * status_bytes / sizeof(std::uint32_t)];
    if (found[0] != 0)
      throw ArgumentError(bad_index(plan_->steps[checked_[c]].primitive, found[0] - 1,
                                    static_cast<std::int32_t>(found[1])));
  }
}

void VulkanExecutable::run_on_host(const PlanStep& step, std::span<void* const> addresses,
                                   std::span<const ScalarBinding> scalars) {
  const PrimitiveStep& primitive = step.primitive;
  ++context_.host_steps[fmt::format("{} {}", name(primitive.op), name(primitive.outputs[0].dtype))];
  std::vector<void*> host(addresses.size(), nullptr);
  std::vector<StorageRef> memory;
  const auto room = [&](const PlanOperand& operand) {
    const auto b = static_cast<std::size_t>(operand.buffer);
    memory.emplace_back(Storage::allocate(static_cast<std::size_t>(plan_->buffers[b].bytes)));
    host[b] = memory.back()->data();
    return std::pair(host[b], static_cast<std::size_t>(plan_->buffers[b].bytes));
  };
  for (const PlanOperand& input : primitive.inputs) {
    const auto [to, bytes] = room(input);
    context_.download(to, addresses[static_cast<std::size_t>(input.buffer)], bytes);
  }
  for (const PlanOperand& output : primitive.outputs) room(output);
  run_by_reference(primitive, host, scalars);
  for (const PlanOperand& output : primitive.outputs) {
    const auto b = static_cast<std::size_t>(output.buffer);
    context_.upload(addresses[b], host[b], static_cast<std::size_t>(plan_->buffers[b].bytes));
  }
}

/// Whether the run's commands are a function of where its values lie.
bool VulkanExecutable::keeps_runs(const StepHook& hook) const {
  const Limits& limits = context_.device.limits();
  return !hook && keepable_ && (checked_.empty() || trust_indices_) && !limits.red_zones &&
         !limits.record_always;
}

void VulkanExecutable::run_kept(std::span<void* const> addresses, Address scratch) {
  Recorder& recorder = context_.recorder;
  KeptRun& run = kept_[turn_];
  recorder.wait_for(run.recording);
  const std::uint64_t generation = context_.allocator.generation();
  if (run.scratch != scratch || run.generation != generation ||
      !std::ranges::equal(run.addresses, addresses)) {
    run.addresses.clear();  // nothing is kept where recording fails
    recorder.record(run.recording, [&] {
      for (const Step& step : steps_)
        for (const Command& command : step.commands) record(command, addresses);
    });
    run.addresses.assign(addresses.begin(), addresses.end());
    run.scratch = scratch;
    run.generation = generation;
  }
  recorder.submit(run.recording, plan_->steps.back().label);
}

void VulkanExecutable::run(std::span<void* const> addresses, std::span<const ScalarBinding> scalars,
                           const StepHook& hook) {
  Recorder& recorder = context_.recorder;
  turn_ = 1 - turn_;
  // Before anything is recorded: where there is no memory nothing has begun.
  const Address scratch = context_.scratch(scratch_bytes_);
  upload_scalars(scalars);
  if (keeps_runs(hook)) return run_kept(addresses, scratch);
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const PlanStep& step = plan_->steps[s];
    if (hook) {
      recorder.finish(step.label);
      hook(static_cast<int>(s), false);
    }
    const bool guarded = context_.device.limits().red_zones;
    if (guarded) context_.red_zones.fill_arena(*plan_, step, addresses);
    if (steps_[s].on_host) run_on_host(step, addresses, scalars);
    if (steps_[s].check && !trust_indices_) record(*steps_[s].check, addresses);
    for (const Command& command : steps_[s].commands) record(command, addresses);
    if (guarded) context_.red_zones.check_arena(*plan_, step, addresses);
    if (!checked_.empty() && s == checked_.back() && !trust_indices_) check_indices();
    recorder.pending_work += static_cast<std::uint64_t>(step.flops + step.bytes);
    if (recorder.pending_work > context_.device.limits().segment_work) {
      recorder.submit(step.label);
      ++context_.segments;
    }
    if (hook) {
      recorder.finish(step.label);
      hook(static_cast<int>(s), true);
    }
  }
  recorder.submit(plan_->steps.empty() ? "nothing" : plan_->steps.back().label);
  if (context_.device.limits().red_zones) context_.red_zones.check_slices();
}

}  // namespace genera::vulkan
