// Primitives that the planner does not fuse, because rounding to their element type comes after each of them, as kernels of one instruction.
#include "backends/vulkan/print_kernel.h"
#include "engine/graph/attributes.h"
#include "engine/plan/lanes.h"

#include <optional>

namespace genera::vulkan {
namespace {

KernelInstr instruction(KernelOp op, DType dtype) {
  KernelInstr instr;
  instr.op = op;
  instr.type = lane_of(dtype);
  instr.boolean = dtype == DType::boolean;
  return instr;
}

/// What makes the primitive's own instruction complete.
void set_attributes(const PrimitiveStep& step, KernelStep& result, KernelInstr& instr) {
  if (step.op == Op::Const) {
    const auto& literal = step.attr<ConstAttrs>();
    instr.constant = is_floating(step.outputs[0].dtype) ? literal.floating
                                                        : static_cast<double>(literal.integer);
  } else if (step.op == Op::Scalar) {
    instr.imm = 0;
    result.scalars.push_back(step.scalar);
  } else if (step.op == Op::Iota) {
    const auto axis = static_cast<std::size_t>(step.attr<IotaAttrs>().axis);
    instr.imm = static_cast<std::int32_t>(axis);
    instr.view.stride[axis] = 1;
  }
}

}  // namespace

KernelStep kernel_of(const PrimitiveStep& step) {
  KernelStep result;
  const std::optional<KernelOp> op = kernel_op(step.op);
  if (!op) return result;
  Kernel& kernel = result.kernel;
  const bool reduces = *op == KernelOp::ReduceSum || *op == KernelOp::ReduceMax;
  const Shape& space = reduces ? step.inputs[0].shape : step.outputs[0].shape;
  kernel.rank = space.rank();
  for (int d = 0; d < space.rank(); ++d) {
    const auto at = static_cast<std::size_t>(d);
    kernel.extents[at] = space[d];
    kernel.reduced[at] = reduces && (step.attr<ReduceAttrs>().axes >> d & 1) != 0;
  }
  KernelInstr instr = instruction(*op, step.outputs[0].dtype);
  std::int16_t* const operands[] = {&instr.a, &instr.b, &instr.c};
  for (std::size_t i = 0; i < step.inputs.size(); ++i) {
    KernelInstr load = instruction(KernelOp::Load, step.inputs[i].dtype);
    load.imm = static_cast<std::int32_t>(i);
    load.view = row_major(space);
    result.buffers.push_back(step.inputs[i].buffer);
    kernel.buffers.push_back(step.inputs[i].dtype);
    *operands[i] = static_cast<std::int16_t>(i);
    kernel.code.push_back(load);
  }
  set_attributes(step, result, instr);
  kernel.code.push_back(instr);
  KernelStore store;
  store.value = static_cast<std::int16_t>(kernel.code.size() - 1);
  store.buffer = static_cast<std::int32_t>(result.buffers.size());
  store.view = row_major(step.outputs[0].shape);
  for (int d = 0; d < kernel.rank; ++d)
    if (kernel.reduced[static_cast<std::size_t>(d)])
      store.view.stride[static_cast<std::size_t>(d)] = 0;
  result.buffers.push_back(step.outputs[0].buffer);
  kernel.buffers.push_back(step.outputs[0].dtype);
  kernel.stores.push_back(store);
  return result;
}

}  // namespace genera::vulkan
