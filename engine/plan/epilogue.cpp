#include "engine/plan/lower.h"

#include <algorithm>

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

/// Whether the kernel loops over the product's elements and loads each just where it is.
bool reads_elementwise(const KernelStep& step, int buffer, const Shape& shape) {
  const Kernel& kernel = step.kernel;
  // Several stores stream from memory: a kernel over whole tensors fetches ahead and has long rows, in blocks it cannot.
  if (kernel.stores.size() > 1) return false;
  if (kernel.rank != 2 || shape.rank() != 2 || kernel.reduced[0] || kernel.reduced[1]) return false;
  if (kernel.extents[0] != shape[0] || kernel.extents[1] != shape[1]) return false;
  for (const KernelInstr& instr : kernel.code)
    if (instr.op == KernelOp::Load && step.buffers[static_cast<std::size_t>(instr.imm)] == buffer &&
        (instr.view.offset != 0 || instr.view.stride[0] != shape[1] || instr.view.stride[1] != 1))
      return false;
  return true;
}

}  // namespace

void attach_epilogues(Plan& plan, const Backend& backend) {
  const SoleUsers sole = sole_users(plan);
  std::vector<bool> taken(plan.steps.size(), false);
  for (std::size_t p = 0; p < plan.steps.size(); ++p) {
    PlanStep& product = plan.steps[p];
    if (product.kind != PlanStep::Kind::primitive || product.primitive.op != Op::MatMul) continue;
    const PlanOperand& output = product.primitive.outputs[0];
    const auto buffer = static_cast<std::size_t>(output.buffer);
    const int reader = sole.reader[buffer];
    // Nothing else needs the product, so it may wait for whatever else the kernel reads.
    if (plan.buffers[buffer].place != PlanBuffer::Place::arena ||
        sole.writer[buffer] != static_cast<int>(p) || reader < 0)
      continue;
    PlanStep& kernel = plan.steps[static_cast<std::size_t>(reader)];
    if (kernel.kind != PlanStep::Kind::kernel || !backend.matmul_epilogue(output.dtype) ||
        !reads_elementwise(kernel.kernel, output.buffer, output.shape))
      continue;
    kernel.kind = PlanStep::Kind::epilogue;
    kernel.primitive = std::move(product.primitive);
    kernel.label = product.label + " > " + kernel.label;
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
