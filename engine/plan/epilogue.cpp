#include "engine/plan/lower.h"

#include <algorithm>
#include <optional>

namespace genera {
namespace {

/// By buffer: the only step that writes and the only one that reads it; several: -2, none: -1.
struct SoleUsers {
  std::vector<int> writer, reader;
};

SoleUsers sole_users(const Plan& plan) {
  SoleUsers sole{std::vector<int>(plan.buffers.size(), -1),
                 std::vector<int>(plan.buffers.size(), -1)};
  const auto note = [](int& user, int step) {
    if (user != step) user = user == -1 ? step : -2;
  };
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const StepAccess access = access_of(plan.steps[s]);
    for (const int b : access.reads)
      note(sole.reader[static_cast<std::size_t>(b)], static_cast<int>(s));
    for (const int b : access.writes)
      note(sole.writer[static_cast<std::size_t>(b)], static_cast<int>(s));
  }
  return sole;
}

/// Makes the kernel's dimensions from `first` on one. False, with nothing changed, where a view has no
/// single stride along them.
bool merge_dimensions(Kernel& kernel, int first) {
  const auto merged = [&](const AffineView& view) -> std::optional<AffineView> {
    AffineView result = view;
    std::int64_t stride = 0, extent = 1;  // of the dimensions that were merged so far
    for (int d = kernel.rank - 1; d >= first; --d) {
      const auto at = static_cast<std::size_t>(d);
      result.stride[at] = 0;
      if (kernel.extents[at] == 1) continue;
      if (extent == 1)
        stride = view.stride[at];
      else if (view.stride[at] != stride * extent)
        return std::nullopt;
      extent *= kernel.extents[at];
    }
    result.stride[static_cast<std::size_t>(first)] = stride;
    return result;
  };
  Kernel changed = kernel;
  for (KernelInstr& instr : changed.code) {
    if (instr.op == KernelOp::Iota && instr.imm >= first) return false;
    const auto view = merged(instr.view);
    if (!view) return false;
    instr.view = *view;
  }
  for (KernelStore& store : changed.stores) {
    const auto view = merged(store.view);
    if (!view) return false;
    store.view = *view;
  }
  const auto at = static_cast<std::size_t>(first);
  for (int d = first + 1; d < kernel.rank; ++d) {
    changed.extents[at] *= kernel.extents[static_cast<std::size_t>(d)];
    changed.extents[static_cast<std::size_t>(d)] = 0;
  }
  changed.rank = first + 1;
  kernel = std::move(changed);
  return true;
}

/// Whether the kernel loops over the product's elements and loads each just where it is.
bool reads_elementwise(const KernelStep& step, int buffer, const Shape& shape) {
  const Kernel& kernel = step.kernel;
  if (kernel.rank != shape.rank()) return false;
  for (int d = 0; d < kernel.rank; ++d)
    if (kernel.reduced[static_cast<std::size_t>(d)] ||
        kernel.extents[static_cast<std::size_t>(d)] != shape[d])
      return false;
  for (const KernelInstr& instr : kernel.code) {
    if (instr.op != KernelOp::Load || step.buffers[static_cast<std::size_t>(instr.imm)] != buffer)
      continue;
    if (instr.view.offset != 0) return false;
    std::int64_t stride = 1;
    for (int d = kernel.rank - 1; d >= 0; stride *= shape[d--])
      if (shape[d] != 1 && instr.view.stride[static_cast<std::size_t>(d)] != stride) return false;
  }
  return true;
}

/// Whether the kernel can run block by block on what the product makes: the rows and columns of a matrix, or the images,
/// channels and pixels of a convolution, as which its dimensions are left.
bool suits(KernelStep& step, const PrimitiveStep& product, const Backend& backend) {
  const PlanOperand& output = product.outputs[0];
  if (!reads_elementwise(step, output.buffer, output.shape) ||
      !backend.can_attach_epilogue(product, step.kernel))
    return false;
  return product.op == Op::MatMul ? output.shape.rank() == 2 : merge_dimensions(step.kernel, 2);
}

/// By step: whether it overwrites donated memory, for which it waits until all steps that may fail
/// are done. A product that became part of it would wait too, and hold all that it reads.
std::vector<bool> steps_that_wait(const Plan& plan, const std::vector<DonatedBuffer>& donated) {
  std::vector<bool> waits(plan.steps.size(), false);
  if (std::none_of(plan.steps.begin(), plan.steps.end(), may_fail)) return waits;
  const auto leaves = overwritten_leaves(accesses_of(plan), donated);
  for (std::size_t s = 0; s < waits.size(); ++s) waits[s] = !leaves[s].empty();
  return waits;
}

}  // namespace

void attach_epilogues(Plan& plan, const Backend& backend,
                      const std::vector<DonatedBuffer>& donated) {
  const SoleUsers sole = sole_users(plan);
  const std::vector<bool> waits = steps_that_wait(plan, donated);
  std::vector<bool> taken(plan.steps.size(), false);
  for (std::size_t p = 0; p < plan.steps.size(); ++p) {
    PlanStep& product = plan.steps[p];
    if (product.kind != PlanStep::Kind::primitive ||
        (product.primitive.op != Op::MatMul && product.primitive.op != Op::Conv))
      continue;
    const PlanOperand& output = product.primitive.outputs[0];
    const auto buffer = static_cast<std::size_t>(output.buffer);
    const int reader = sole.reader[buffer];
    // Nothing else needs the product, so it may wait for whatever else the kernel reads.
    if (plan.buffers[buffer].place != PlanBuffer::Place::arena ||
        sole.writer[buffer] != static_cast<int>(p) || reader < 0)
      continue;
    PlanStep& kernel = plan.steps[static_cast<std::size_t>(reader)];
    if (kernel.kind != PlanStep::Kind::kernel || waits[static_cast<std::size_t>(reader)] ||
        !suits(kernel.kernel, product.primitive, backend))
      continue;
    kernel.kind = PlanStep::Kind::epilogue;
    kernel.primitive = std::move(product.primitive);
    kernel.label.insert(0, " > ").insert(0, product.label);
    kernel.flops += product.flops;
    kernel.bytes += product.bytes;
    taken[p] = true;
  }
  std::vector<PlanStep> steps;
  for (std::size_t s = 0; s < plan.steps.size(); ++s)
    if (!taken[s]) steps.push_back(std::move(plan.steps[s]));
  plan.steps = std::move(steps);
}

}  // namespace genera
