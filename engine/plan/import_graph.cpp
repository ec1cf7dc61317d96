#include "engine/plan/canonical.h"
#include "engine/plan/plan_graph.h"

namespace genera {

PlanGraph import_graph(const CanonicalGraph& canonical) {
  PlanGraph graph;
  graph.nodes.reserve(canonical.order.size());
  std::vector<bool> is_root(canonical.order.size(), false);
  for (const Value& root : canonical.roots) is_root[root.node->index] = true;
  // A Call stands for its body's outputs: users of the one are users of the other.
  std::vector<std::vector<PlanValue>> body(canonical.order.size());
  const auto resolve = [&](const Value& value) {
    const auto& outputs = body[value.node->index];
    return outputs.empty() ? PlanValue{static_cast<int>(value.node->index), value.output}
                           : outputs[static_cast<std::size_t>(value.output)];
  };
  for (std::size_t i = 0; i < canonical.order.size(); ++i) {
    const Node* node = canonical.order[i];
    PlanNode copy;
    copy.scope = node->scope();
    for (int output = 0; output < node->output_count(); ++output)
      copy.outputs.push_back({node->dtype(output), node->shape(output)});
    const bool leaf = node->evaluated();
    copy.op = leaf ? Op::Leaf : node->op();
    if (leaf || node->op() == Op::Scalar) copy.source = static_cast<int>(i);
    if (!leaf) {
      if (node->op() != Op::Scalar)
        copy.attrs.assign(node->attr_bytes().begin(), node->attr_bytes().end());
      for (const Value& input : plan_inputs(node)) copy.inputs.push_back(resolve(input));
      if (node->op() == Op::Call) body[i] = copy.inputs;
      if (is_root[i] || is_requested(node)) {
        for (int output = 0; output < node->output_count(); ++output) {
          const PlanValue value = resolve({canonical.order[i], output});
          graph.results.push_back({static_cast<int>(i), output, value});
          if (value.node < static_cast<int>(graph.nodes.size()))
            graph[value.node].requested = true;
          else
            copy.requested = true;
        }
      }
    }
    graph.nodes.push_back(std::move(copy));
  }
  return graph;
}

}  // namespace genera
