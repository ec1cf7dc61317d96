#include <genera/profile.h>

#include "engine/core/joined.h"
#include "engine/core/scope.h"
#include "engine/graph/build.h"
#include "engine/plan/canonical.h"
#include "engine/plan/lower.h"
#include "engine/plan/make_plan.h"

#include <fmt/format.h>

namespace genera {
namespace {

CanonicalGraph canonical(const std::vector<Tensor>& tensors) {
  CanonicalGraph graph;
  std::vector<Value> roots;
  for (const Tensor& tensor : tensors) {
    check_tensor("graph_text", tensor);
    roots.push_back({tensor.node(), tensor.output()});
  }
  canonicalize(roots, {}, 0, graph);
  return graph;
}

std::shared_ptr<const Plan> planned(const std::vector<Tensor>& tensors) {
  std::lock_guard lock(graph_mutex());
  return make_plan(canonical(tensors), current_backend(), plan_options());
}

std::string_view shown_op(const Node* node) {
  return node->evaluated() ? "Leaf" : name(node->op());
}

std::string in_scope(std::uint32_t scope) {
  const std::string text = scope_name(scope);
  return text.empty() ? "" : "  [" + text + "]";
}

std::string shown_type(DType dtype, const Shape& shape) {
  return fmt::format("{} {}", name(dtype), to_string(shape));
}

std::string place_text(const PlanBuffer& buffer) {
  switch (buffer.place) {
    case PlanBuffer::Place::leaf:
      return fmt::format("leaf {}", buffer.where);
    case PlanBuffer::Place::output:
      return fmt::format("output {}", buffer.where);
    case PlanBuffer::Place::arena:
      return fmt::format("arena +{}", buffer.where);
  }
  return "";
}

std::string numbers(const std::vector<int>& list) { return joined(list, " "); }

}  // namespace

std::string graph_text(const std::vector<Tensor>& tensors) {
  std::lock_guard lock(graph_mutex());
  const CanonicalGraph graph = canonical(tensors);
  std::string text;
  for (const Node* node : graph.order) {
    text += fmt::format("%{} = {}", node->index, shown_op(node));
    for (const Value& input : plan_inputs(node))
      text += fmt::format(" %{}{}", input.node->index,
                          input.output > 0 ? fmt::format(".{}", input.output) : "");
    text +=
        fmt::format(" : {}{}\n", shown_type(node->dtype(), node->shape()), in_scope(node->scope()));
  }
  for (const Value& root : graph.roots) text += fmt::format("return %{}\n", root.node->index);
  return text;
}

std::string graph_dot(const std::vector<Tensor>& tensors) {
  std::lock_guard lock(graph_mutex());
  const CanonicalGraph graph = canonical(tensors);
  std::string text = "digraph genera {\n  node [shape=box, fontname=\"sans\"];\n";
  for (const Node* node : graph.order) {
    text += fmt::format("  n{} [label=\"{}\\n{}\"{}];\n", node->index, shown_op(node),
                        shown_type(node->dtype(), node->shape()),
                        node->evaluated() ? ", style=filled" : "");
    for (const Value& input : plan_inputs(node))
      text += fmt::format("  n{} -> n{};\n", input.node->index, node->index);
  }
  return text + "}\n";
}

std::string plan_text(const std::vector<Tensor>& tensors) {
  const std::shared_ptr<const Plan> plan = planned(tensors);
  std::int64_t flops = 0, bytes = 0;
  for (const PlanStep& step : plan->steps) {
    flops += step.flops;
    bytes += step.bytes;
  }
  std::string text = fmt::format(
      "{} graph nodes, {} steps, {} FLOP, {} bytes moved, arena {} bytes (at least {})\n",
      plan->graph_nodes, plan->steps.size(), flops, bytes, plan->arena_bytes,
      plan->arena_lower_bound);
  for (std::size_t b = 0; b < plan->buffers.size(); ++b)
    text += fmt::format("buffer {}: {}, {}\n", b,
                        shown_type(plan->buffers[b].dtype, plan->buffers[b].shape),
                        place_text(plan->buffers[b]));
  for (std::size_t s = 0; s < plan->steps.size(); ++s) {
    const PlanStep& step = plan->steps[s];
    const StepAccess access = access_of(step);
    const bool host =
        step.kind == PlanStep::Kind::primitive && current_backend().on_host(step.primitive);
    text += fmt::format("step {}: {}{} ({} -> {}){}\n", s, step.label, host ? " on the host" : "",
                        numbers(access.reads), numbers(access.writes), in_scope(step.scope));
  }
  return text;
}

std::string plan_dot(const std::vector<Tensor>& tensors) {
  const std::shared_ptr<const Plan> plan = planned(tensors);
  std::string text = "digraph plan {\n  node [fontname=\"sans\"];\n";
  for (std::size_t b = 0; b < plan->buffers.size(); ++b)
    text += fmt::format("  b{} [shape=ellipse, label=\"{}\\n{}\"];\n", b,
                        shown_type(plan->buffers[b].dtype, plan->buffers[b].shape),
                        place_text(plan->buffers[b]));
  for (std::size_t s = 0; s < plan->steps.size(); ++s) {
    const StepAccess access = access_of(plan->steps[s]);
    text += fmt::format("  s{} [shape=box, label=\"{}\"];\n", s, plan->steps[s].label);
    for (const int b : access.reads) text += fmt::format("  b{} -> s{};\n", b, s);
    for (const int b : access.writes) text += fmt::format("  s{} -> b{};\n", s, b);
  }
  return text + "}\n";
}

}  // namespace genera
