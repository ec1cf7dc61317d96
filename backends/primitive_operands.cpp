#include "backends/primitive_operands.h"

#include "backends/reference/primitives.h"
#include "engine/graph/attributes.h"

#include <vector>

namespace genera {

void run_by_reference(const PrimitiveStep& step, std::span<void* const> addresses,
                      std::span<const ScalarBinding> scalars) {
  std::vector<reference::Input> inputs;
  std::vector<reference::Output> outputs;
  inputs.reserve(step.inputs.size());
  for (const PlanOperand& input : step.inputs)
    inputs.push_back({addresses[static_cast<std::size_t>(input.buffer)], input.dtype, input.shape});
  for (const PlanOperand& output : step.outputs)
    outputs.push_back(
        {addresses[static_cast<std::size_t>(output.buffer)], output.dtype, output.shape});
  if (step.op == Op::Scalar) {  // a literal that the host gives at run time
    const ScalarBinding& number = scalars[static_cast<std::size_t>(step.scalar)];
    const ConstAttrs literal{number.floating, number.integer};
    reference::run(Op::Const, &literal, inputs, outputs);
  } else {
    reference::run(step.op, step.attrs.data(), inputs, outputs);
  }
}

}  // namespace genera
