#include <genera/autodiff.h>
#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/core/scope.h"
#include "engine/graph/attributes.h"
#include "engine/graph/build.h"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>

namespace genera {
namespace autodiff {
namespace {

struct Distortion {
  Op op{};
  int input = -1;
  double factor = 1;
};
Distortion distortion;

bool differentiable(const Node* node) {
  switch (info(node->op()).op_class) {
    case OpClass::Create: return false;
    case OpClass::Structure: return node->op() == Op::Call || node->attrs<BarrierAttrs>().stop_gradient == 0;
    default: return true;
  }
}

/// What derivatives flow to: the inputs, and for a Call the body's outputs, which are what it means.
std::span<const Value> gradient_inputs(const Node* node) {
  return node->op() == Op::Call ? node->body() : node->inputs();
}

/// The graph behind some outputs, with everything a backward pass looks up, copied so that building more graph cannot
/// disturb it.
struct Walk {
  std::vector<Node*> order;
  std::vector<std::vector<std::uint32_t>> inputs;  // by node: positions of its gradient_inputs
  std::vector<bool> needs;                         // depends on what is differentiated for
  std::vector<std::uint32_t> output_at, wrt_at;
};

Walk walk(std::span<const Tensor> outputs, std::span<const Tensor> wrt) {
  std::lock_guard lock(graph_mutex());
  Walk w;
  std::vector<Value> roots;
  for (const Tensor& output : outputs) roots.push_back({output.node(), output.output()});
  const std::uint64_t mark = next_mark();
  w.order = topological_order(std::span<const Value>(roots), mark, gradient_inputs);
  w.needs.assign(w.order.size(), false);
  for (const Tensor& x : wrt) {
    const bool reached = x.node()->mark == mark;
    w.wrt_at.push_back(reached ? x.node()->index : ~std::uint32_t{0});
    if (reached) w.needs[x.node()->index] = true;
  }
  for (const Tensor& output : outputs) w.output_at.push_back(output.node()->index);
  w.inputs.resize(w.order.size());
  for (std::size_t i = 0; i < w.order.size(); ++i) {
    const Node* node = w.order[i];
    const bool passes = differentiable(node);
    for (const Value& input : gradient_inputs(node)) {
      w.inputs[i].push_back(input.node->index);
      if (passes && w.needs[input.node->index] && is_floating(input.node->dtype(input.output))) w.needs[i] = true;
    }
  }
  return w;
}

/// Cotangents by node and output, added up as they arrive.
class Cotangents {
 public:
  explicit Cotangents(std::size_t nodes) : by_node_(nodes) {}
  void add(std::uint32_t node, int output, const Tensor& g) {
    auto& list = by_node_[node];
    if (list.size() <= static_cast<std::size_t>(output)) list.resize(static_cast<std::size_t>(output) + 1);
    Tensor& sum = list[static_cast<std::size_t>(output)];
    sum = sum ? genera::add(sum, g) : g;
  }
  const std::vector<Tensor>& of(std::uint32_t node) const { return by_node_[node]; }
  Tensor at(std::uint32_t node, int output) const {
    const auto& list = by_node_[node];
    return static_cast<std::size_t>(output) < list.size() ? list[static_cast<std::size_t>(output)] : Tensor();
  }
  void forget(std::uint32_t node) { by_node_[node].clear(); }

 private:
  std::vector<std::vector<Tensor>> by_node_;
};

void propagate_node(const Walk& w, std::uint32_t at, Cotangents& cotangents) {
  const Node* node = w.order[at];
  const std::span<const Value> inputs = node->inputs();
  std::vector<Tensor> in, out, result(inputs.size());
  const auto needed = std::make_unique<bool[]>(inputs.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    in.emplace_back(inputs[k].node, inputs[k].output);
    needed[k] = w.needs[w.inputs[at][k]] && is_floating(in.back().dtype());
  }
  std::vector<Tensor> g = cotangents.of(at);
  g.resize(static_cast<std::size_t>(node->output_count()));
  for (int output = 0; output < node->output_count(); ++output)
    out.emplace_back(const_cast<Node*>(node), output);
  apply_rule({*node, in, out, g, {needed.get(), inputs.size()}}, result);
  if (distortion.input >= 0 && distortion.op == node->op() && distortion.input < static_cast<int>(result.size())) {
    Tensor& target = result[static_cast<std::size_t>(distortion.input)];
    if (target) target = multiply(target, full_like(target, distortion.factor));
  }
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (result[k] && needed[k]) cotangents.add(w.inputs[at][k], inputs[k].output, result[k]);
}

/// The graph of `outputs` built again on replacements for some of its nodes.
class Rebuild {
 public:
  void replace(const Tensor& original, const Tensor& by) { map_[{original.node(), original.output()}] = by; }
  Tensor of(Value value) {
    if (const auto known = map_.find(value); known != map_.end()) return known->second;
    return Tensor(value.node, value.output);
  }
  /// `order`: inputs before users.
  void rebuild(const Node* node) {
    std::vector<Tensor> inputs;
    bool same = true;
    for (const Value& input : node->inputs()) {
      inputs.push_back(of(input));
      same = same && inputs.back().node() == input.node && inputs.back().output() == input.output;
    }
    if (same) return;
    const Tensor copy = make_node(node->op(), std::span<const Tensor>(inputs), node->dtype(), node->shape(), node->attr_bytes());
    if (node->op() == Op::Call) {
      for (int output = 1; output < node->output_count(); ++output)
        copy.node()->add_output(node->dtype(output), node->shape(output));
      copy.node()->set_call(std::make_unique<CallInfo>(node->call()));
    }
    for (int output = 0; output < node->output_count(); ++output)
      map_[{const_cast<Node*>(node), output}] = Tensor(copy.node(), output);
  }

 private:
  struct Hash {
    std::size_t operator()(const Value& v) const {
      return std::hash<Node*>()(v.node) + static_cast<std::size_t>(v.output);
    }
  };
  std::unordered_map<Value, Tensor, Hash> map_;
};

/// A checkpointed call: its body is computed again, once the cotangent is there, and differentiated on the copy.
void propagate_checkpoint(const Walk& w, std::uint32_t at, Cotangents& cotangents) {
  const Node* call = w.order[at];
  Tensor after;
  for (const Tensor& g : cotangents.of(at))
    if (g) after = g;
  std::vector<Node*> body;
  std::vector<Tensor> sources;  // what the body is a function of: the arguments, and leaves that it captured
  {
    std::lock_guard lock(graph_mutex());
    const std::uint64_t stop = next_mark();
    for (const Value& argument : call->inputs().first(call->call().arguments)) {
      if (argument.node->mark == stop) continue;
      argument.node->mark = stop;
      for (int output = 0; output < argument.node->output_count(); ++output)
        sources.emplace_back(argument.node, output);
    }
    std::vector<Value> roots;
    for (const Value& output : call->body())
      if (output.node->mark != stop) roots.push_back(output);
    body = topological_order(std::span<const Value>(roots), stop,
                             [](const Node* node) { return node->inputs(); });
  }
  Rebuild copy;
  std::vector<Tensor> guarded;
  for (const Node* node : body)
    if (node->inputs().empty() && info(node->op()).op_class == OpClass::Create && node->op() == Op::Leaf)
      sources.emplace_back(const_cast<Node*>(node), 0);
  for (const Tensor& source : sources) {
    guarded.push_back(barrier(source, after));
    copy.replace(source, guarded.back());
  }
  for (const Node* node : body)
    if (node->op() != Op::Leaf) copy.rebuild(node);
  std::vector<Tensor> outputs, gs = cotangents.of(at);
  for (const Value& output : call->body()) outputs.push_back(copy.of(output));
  gs.resize(outputs.size());
  const std::vector<Tensor> result = vjp(outputs, gs, guarded);
  std::unordered_map<const Node*, std::uint32_t> position;
  for (std::size_t i = 0; i < w.order.size(); ++i) position[w.order[i]] = static_cast<std::uint32_t>(i);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto found = position.find(sources[i].node());
    if (found != position.end() && w.needs[found->second] && is_floating(sources[i].dtype()))
      cotangents.add(found->second, sources[i].output(), result[i]);
  }
}

void propagate(const Walk& w, std::uint32_t at, Cotangents& cotangents) {
  const Node* node = w.order[at];
  const std::uint32_t outer = current_scope();
  set_scope(node->scope());
  if (node->op() != Op::Call) {
    propagate_node(w, at, cotangents);
  } else if (node->call().recompute) {
    propagate_checkpoint(w, at, cotangents);
  } else {
    const std::vector<Tensor> g = cotangents.of(at);
    for (std::size_t k = 0; k < g.size(); ++k)
      if (g[k]) cotangents.add(w.inputs[at][k], node->body()[k].output, g[k]);
  }
  set_scope(outer);
}

void check_wrt(std::string_view op, std::span<const Tensor> wrt) {
  for (const Tensor& x : wrt) {
    check_tensor(op, x);
    if (!is_floating(x.dtype())) fail(op, fmt::format("differentiates for floating tensors only, got {}", describe(x)));
  }
}

}  // namespace

void apply_rule(const RuleInput& rule, std::span<Tensor> result) {
  switch (info(rule.node.op()).op_class) {
    case OpClass::Elementwise: elementwise_rule(rule, result); break;
    case OpClass::Reduction:
    case OpClass::Scan: reduction_rule(rule, result); break;
    case OpClass::Movement: movement_rule(rule, result); break;
    case OpClass::Index: index_rule(rule, result); break;
    case OpClass::Contraction: contraction_rule(rule, result); break;
    case OpClass::LinearAlgebra: linalg_rule(rule, result); break;
    case OpClass::Structure:
      if (rule.needed[0]) result[0] = rule.cotangent();
      break;
    case OpClass::Create: break;
  }
}

void distort_rule(Op op, int input, double factor) { distortion = {op, factor == 1 ? -1 : input, factor}; }

}  // namespace autodiff

std::vector<Tensor> vjp(std::span<const Tensor> outputs, std::span<const Tensor> cotangents, std::span<const Tensor> wrt) {
  if (outputs.size() != cotangents.size())
    fail("vjp", fmt::format("needs one cotangent per output, got {} for {}", cotangents.size(), outputs.size()));
  autodiff::check_wrt("vjp", wrt);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    check_tensor("vjp", outputs[i]);
    if (cotangents[i] && (!(cotangents[i].shape() == outputs[i].shape()) || cotangents[i].dtype() != outputs[i].dtype()))
      fail("vjp", fmt::format("output {} has cotangent {}", describe(outputs[i]), describe(cotangents[i])));
  }
  const autodiff::Walk w = autodiff::walk(outputs, wrt);
  autodiff::Cotangents sums(w.order.size());
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (cotangents[i] && w.needs[w.output_at[i]]) sums.add(w.output_at[i], outputs[i].output(), cotangents[i]);
  std::vector<bool> keep(w.order.size(), false);
  for (const std::uint32_t at : w.wrt_at)
    if (at != ~std::uint32_t{0}) keep[at] = true;
  for (std::size_t i = w.order.size(); i-- > 0;) {
    const auto at = static_cast<std::uint32_t>(i);
    if (!w.needs[i] || sums.of(at).empty()) continue;
    autodiff::propagate(w, at, sums);
    if (!keep[i]) sums.forget(at);
  }
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    Tensor g;
    if (w.wrt_at[i] != ~std::uint32_t{0}) g = sums.at(w.wrt_at[i], wrt[i].output());
    result.push_back(g ? g : zeros_like(wrt[i]));
  }
  return result;
}

Gradients grad(const Tensor& loss, std::span<const Tensor> wrt) {
  check_tensor("grad", loss);
  if (loss.elements() != 1 || !is_floating(loss.dtype()))
    fail("grad", fmt::format("the loss must be one floating number, got {}; sum() or mean() it first", describe(loss)));
  const Tensor one = full_like(loss, 1);
  return {vjp({&loss, 1}, {&one, 1}, wrt), loss};
}

Gradients grad(const Tensor& loss, std::initializer_list<Tensor> wrt) {
  return grad(loss, std::span<const Tensor>(wrt.begin(), wrt.size()));
}

std::pair<Tensor, std::vector<Tensor>> value_and_grad(const std::function<Tensor(const std::vector<Tensor>&)>& function,
                                                      const std::vector<Tensor>& inputs) {
  const Tensor loss = function(inputs);
  return {loss, grad(loss, std::span<const Tensor>(inputs)).values};
}

}  // namespace genera
