#include "engine/graph/build.h"
#include "engine/plan/evaluate.h"

#include <fmt/format.h>

namespace genera {
namespace {

std::vector<Tensor> call_node(const std::string& name, const TensorFunction& body,
                              const std::vector<Tensor>& inputs, bool recompute) {
  for (const Tensor& input : inputs) check_tensor(name, input);
  std::vector<Tensor> outputs = body(inputs);
  if (outputs.empty()) fail(name, "the body returned no tensor");
  for (const Tensor& output : outputs) check_tensor(name, output);
  if (eager_mode()) return outputs;
  std::vector<Value> operands(inputs.begin(), inputs.end());
  operands.insert(operands.end(), outputs.begin(), outputs.end());
  const Tensor result = make_node(Op::Call, operands, outputs[0].dtype(), outputs[0].shape());
  for (std::size_t i = 1; i < outputs.size(); ++i)
    result.node()->add_output(outputs[i].dtype(), outputs[i].shape());
  result.node()->set_call(std::make_unique<CallInfo>(CallInfo{name, inputs.size(), recompute}));
  for (std::size_t i = 0; i < outputs.size(); ++i)
    outputs[i] = Tensor(result.node(), static_cast<int>(i));
  return outputs;
}

}  // namespace

Tensor stop_gradient(const Tensor& x) {
  check_tensor("stop_gradient", x);
  return make_node(Op::Barrier, {x}, x.dtype(), x.shape(), BarrierAttrs{1});
}

Tensor barrier(const Tensor& x, const Tensor& after) {
  check_tensor("barrier", x);
  if (!after) return make_node(Op::Barrier, {x}, x.dtype(), x.shape(), BarrierAttrs{0});
  return make_node(Op::Barrier, {x, after}, x.dtype(), x.shape(), BarrierAttrs{0});
}

Tensor detach(const Tensor& x) {
  check_tensor("detach", x);
  x.eval();
  std::lock_guard lock(graph_mutex());
  return leaf_node(x.node()->value_ref(x.output()), x.dtype(), x.shape());
}

std::vector<Tensor> call(const std::string& name, const TensorFunction& body,
                         const std::vector<Tensor>& inputs) {
  return call_node(name, body, inputs, false);
}

std::vector<Tensor> checkpoint(const TensorFunction& body, const std::vector<Tensor>& inputs) {
  return call_node("checkpoint", body, inputs, true);
}

}  // namespace genera
