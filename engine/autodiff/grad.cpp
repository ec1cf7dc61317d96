#include <genera/autodiff.h>
#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/autodiff/sum_of_products.h"
#include "engine/core/scope.h"
#include "engine/graph/attributes.h"
#include "engine/graph/build.h"

#include <fmt/format.h>

#include <algorithm>
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
    case OpClass::Create:
      return false;
    case OpClass::Structure:
      return node->op() == Op::Call || node->attrs<BarrierAttrs>().stop_gradient == 0;
    default:
      return true;
  }
}

/// What derivatives flow to: the inputs, and for a Call the body's outputs, which are what it means.
std::span<const Value> gradient_inputs(const Node* node) {
  return node->op() == Op::Call ? node->body() : node->inputs();
}

/// The graph behind some outputs, with everything a backward pass looks up, copied so that building more graph cannot
/// disturb it. A value is numbered by its node's first_value plus its output.
struct Walk {
  struct Entry {
    std::uint32_t first_input;  // in `inputs`
    std::uint32_t first_value;
  };
  std::vector<Node*> order;
  std::vector<Entry> entries;         // by position in order, and one more
  std::vector<std::uint32_t> inputs;  // positions of the nodes' gradient_inputs, node after node
  std::vector<std::uint8_t> needs;    // depends on what is differentiated for
  /// The position of what the outputs do not depend on.
  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};
  std::vector<std::uint32_t> output_at, wrt_at;

  std::uint32_t input(std::uint32_t at, std::size_t k) const {
    return inputs[entries[at].first_input + k];
  }
  std::size_t value(std::uint32_t at, int output) const {
    return entries[at].first_value + static_cast<std::size_t>(output);
  }
};

Walk walk(std::span<const Tensor> outputs, std::span<const Tensor> wrt) {
  std::lock_guard lock(graph_mutex());
  Walk w;
  std::vector<Value> roots;
  for (const Tensor& output : outputs) roots.push_back({output.node(), output.output()});
  const std::uint64_t mark = next_mark();
  w.order = topological_order(std::span<const Value>(roots), mark, gradient_inputs);
  w.needs.assign(w.order.size(), 0);
  for (const Tensor& x : wrt) {
    const bool reached = x.node()->mark == mark;
    w.wrt_at.push_back(reached ? x.node()->index : Walk::nowhere);
    if (reached) w.needs[x.node()->index] = 1;
  }
  for (const Tensor& output : outputs) w.output_at.push_back(output.node()->index);
  w.entries.reserve(w.order.size() + 1);
  w.inputs.reserve(2 * w.order.size());
  std::uint32_t values = 0;
  for (std::size_t i = 0; i < w.order.size(); ++i) {
    const Node* node = w.order[i];
    w.entries.push_back({static_cast<std::uint32_t>(w.inputs.size()), values});
    values += static_cast<std::uint32_t>(node->output_count());
    const bool passes = differentiable(node);
    for (const Value& input : gradient_inputs(node)) {
      w.inputs.push_back(input.node->index);
      if (passes && w.needs[input.node->index] && is_floating(input.node->dtype(input.output)))
        w.needs[i] = 1;
    }
  }
  w.entries.push_back({static_cast<std::uint32_t>(w.inputs.size()), values});
  return w;
}

/// Cotangents by value.
class Cotangents {
 public:
  explicit Cotangents(const Walk& walk) : walk_(walk), sums_(walk.entries.back().first_value) {}
  void add(std::uint32_t node, int output, const Tensor& g) {
    const std::size_t value = walk_.value(node, output);
    if (sums_[value])
      more_[value].push_back(g);
    else
      sums_[value] = g;
  }
  /// What arrived for a value, added up; nothing arrives any more.
  const Tensor& at(std::uint32_t node, int output) {
    const std::size_t value = walk_.value(node, output);
    if (const auto more = more_.find(value); more != more_.end()) {
      more->second.insert(more->second.begin(), sums_[value]);
      sums_[value] = added_up(std::move(more->second));
      more_.erase(more);
    }
    return sums_[value];
  }
  /// Of all outputs of a node; empty handles where none arrived.
  std::span<const Tensor> of(std::uint32_t node) {
    const std::size_t first = walk_.value(node, 0), end = walk_.value(node + 1, 0);
    for (std::size_t i = first; i < end; ++i) at(node, static_cast<int>(i - first));
    return {&sums_[0] + first, &sums_[0] + end};
  }
  bool any(std::uint32_t node) const {
    for (std::size_t i = walk_.value(node, 0); i < walk_.value(node + 1, 0); ++i)
      if (sums_[i]) return true;
    return false;
  }
  void forget(std::uint32_t node) {
    for (std::size_t i = walk_.value(node, 0); i < walk_.value(node + 1, 0); ++i)
      sums_[i] = Tensor();
  }

 private:
  const Walk& walk_;
  std::vector<Tensor> sums_;  // the first that arrived, or all
  std::unordered_map<std::size_t, std::vector<Tensor>> more_;
};

/// A rule's operands: kept from node to node, so that no memory is asked for.
struct RuleOperands {
  std::vector<Tensor> in, out, result;
  std::unique_ptr<bool[]> needed;
  std::size_t most_inputs = 0;

  void reset(const Node* node) {
    const std::size_t inputs = node->inputs().size();
    in.clear();
    out.clear();
    result.clear();
    result.resize(inputs);
    if (inputs <= most_inputs) return;
    needed = std::make_unique<bool[]>(inputs);
    most_inputs = inputs;
  }
};

void propagate_node(const Walk& w, std::uint32_t at, Cotangents& cotangents, RuleOperands& rule) {
  const Node* node = w.order[at];
  const std::span<const Value> inputs = node->inputs();
  rule.reset(node);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    rule.in.emplace_back(inputs[k].node, inputs[k].output);
    rule.needed[k] = w.needs[w.input(at, k)] && is_floating(rule.in.back().dtype());
  }
  for (int output = 0; output < node->output_count(); ++output)
    rule.out.emplace_back(const_cast<Node*>(node), output);
  apply_rule({*node, rule.in, rule.out, cotangents.of(at), {rule.needed.get(), inputs.size()}},
             rule.result);
  if (distortion.input >= 0 && distortion.op == node->op() &&
      distortion.input < static_cast<int>(inputs.size())) {
    Tensor& target = rule.result[static_cast<std::size_t>(distortion.input)];
    if (target) target = multiply(target, full_like(target, distortion.factor));
  }
  for (std::size_t k = 0; k < inputs.size(); ++k)
    if (rule.result[k] && rule.needed[k])
      cotangents.add(w.input(at, k), inputs[k].output, rule.result[k]);
}

/// The graph of `outputs` built again on replacements for some of its nodes.
class Rebuild {
 public:
  void replace(const Tensor& original, const Tensor& by) {
    map_[{original.node(), original.output()}] = by;
  }
  Tensor of(Value value) {
    if (const auto known = map_.find(value); known != map_.end()) return known->second;
    return Tensor(value.node, value.output);
  }
  /// `order`: inputs before users.
  void rebuild(const Node* node) {
    std::vector<Tensor> inputs;
    for (const Value& input : node->inputs()) inputs.push_back(of(input));
    const std::vector<Value> operands(inputs.begin(), inputs.end());
    if (std::equal(operands.begin(), operands.end(), node->inputs().begin())) return;
    const Tensor copy =
        make_node(node->op(), operands, node->dtype(), node->shape(), node->attr_bytes());
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
  // What the body is a function of: the arguments, leaves and what is differentiated for.
  std::vector<Tensor> sources;
  {
    std::lock_guard lock(graph_mutex());
    const std::uint64_t stop = next_mark();
    const auto add_source = [&](Node* node) {
      for (int output = 0; output < node->output_count(); ++output)
        sources.emplace_back(node, output);
    };
    for (const Value& argument : call->inputs().first(call->call().arguments)) {
      if (argument.node->mark == stop) continue;
      argument.node->mark = stop;
      add_source(argument.node);
    }
    std::vector<Node*> captured;  // those that the body uses become sources, once
    for (const std::uint32_t at_wrt : w.wrt_at) {
      if (at_wrt == Walk::nowhere || w.order[at_wrt]->mark == stop) continue;
      w.order[at_wrt]->mark = stop;
      captured.push_back(w.order[at_wrt]);
    }
    const auto reach = [&](const Value& value) {
      const auto found = std::find(captured.begin(), captured.end(), value.node);
      if (found == captured.end()) return;
      add_source(value.node);
      captured.erase(found);
    };
    std::vector<Value> roots;
    for (const Value& output : call->body()) {
      reach(output);
      if (output.node->mark != stop) roots.push_back(output);
    }
    body = topological_order(std::span<const Value>(roots), stop,
                             [](const Node* node) { return node->inputs(); });
    for (const Node* node : body)
      std::for_each(node->inputs().begin(), node->inputs().end(), reach);
  }
  Rebuild copy;
  std::vector<Tensor> guarded;
  for (const Node* node : body)
    if (node->op() == Op::Leaf) sources.emplace_back(const_cast<Node*>(node), 0);
  for (const Tensor& source : sources) {
    guarded.push_back(barrier(source, after));
    copy.replace(source, guarded.back());
  }
  for (const Node* node : body)
    if (node->op() != Op::Leaf) copy.rebuild(node);
  std::vector<Tensor> outputs;
  for (const Value& output : call->body()) outputs.push_back(copy.of(output));
  const std::vector<Tensor> result = vjp(outputs, cotangents.of(at), guarded);
  std::unordered_map<const Node*, std::uint32_t> position;
  for (std::size_t i = 0; i < w.order.size(); ++i)
    position[w.order[i]] = static_cast<std::uint32_t>(i);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto found = position.find(sources[i].node());
    if (found != position.end() && w.needs[found->second] && is_floating(sources[i].dtype()))
      cotangents.add(found->second, sources[i].output(), result[i]);
  }
}

void propagate(const Walk& w, std::uint32_t at, Cotangents& cotangents, RuleOperands& rule) {
  const Node* node = w.order[at];
  const std::uint32_t outer = current_scope();
  set_scope(node->scope());
  if (node->op() != Op::Call) {
    propagate_node(w, at, cotangents, rule);
  } else if (node->call().recompute) {
    propagate_checkpoint(w, at, cotangents);
  } else {
    const std::span<const Tensor> g = cotangents.of(at);
    for (std::size_t k = 0; k < g.size(); ++k)
      if (g[k]) cotangents.add(w.input(at, k), node->body()[k].output, g[k]);
  }
  set_scope(outer);
}

void check_wrt(std::string_view op, std::span<const Tensor> wrt) {
  for (const Tensor& x : wrt) {
    check_tensor(op, x);
    if (!is_floating(x.dtype()))
      fail(op, fmt::format("differentiates for floating tensors only, got {}", describe(x)));
  }
}

}  // namespace

void apply_rule(const RuleInput& rule, std::span<Tensor> result) {
  switch (info(rule.node.op()).op_class) {
    case OpClass::Elementwise:
      elementwise_rule(rule, result);
      break;
    case OpClass::Reduction:
    case OpClass::Scan:
      reduction_rule(rule, result);
      break;
    case OpClass::Movement:
      movement_rule(rule, result);
      break;
    case OpClass::Index:
      index_rule(rule, result);
      break;
    case OpClass::Contraction:
      contraction_rule(rule, result);
      break;
    case OpClass::LinearAlgebra:
      linalg_rule(rule, result);
      break;
    case OpClass::Structure:
      if (rule.needed[0]) result[0] = rule.cotangent();
      break;
    case OpClass::Create:
      break;
  }
}

void distort_rule(Op op, int input, double factor) {
  distortion = {op, factor == 1 ? -1 : input, factor};
}

}  // namespace autodiff

std::vector<Tensor> vjp(std::span<const Tensor> outputs, std::span<const Tensor> cotangents,
                        std::span<const Tensor> wrt) {
  if (outputs.size() != cotangents.size())
    fail("vjp", fmt::format("needs one cotangent per output, got {} for {}", cotangents.size(),
                            outputs.size()));
  autodiff::check_wrt("vjp", wrt);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    check_tensor("vjp", outputs[i]);
    if (cotangents[i] && (!(cotangents[i].shape() == outputs[i].shape()) ||
                          cotangents[i].dtype() != outputs[i].dtype()))
      fail("vjp", fmt::format("output {} has cotangent {}", describe(outputs[i]),
                              describe(cotangents[i])));
  }
  const autodiff::Walk w = autodiff::walk(outputs, wrt);
  autodiff::Cotangents sums(w);
  autodiff::RuleOperands operands;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    if (cotangents[i] && w.needs[w.output_at[i]])
      sums.add(w.output_at[i], outputs[i].output(), cotangents[i]);
  std::vector<std::uint8_t> keep(w.order.size(), 0);
  for (const std::uint32_t at : w.wrt_at)
    if (at != autodiff::Walk::nowhere) keep[at] = 1;
  for (std::size_t i = w.order.size(); i-- > 0;) {
    const auto at = static_cast<std::uint32_t>(i);
    if (!w.needs[i] || !sums.any(at)) continue;
    autodiff::propagate(w, at, sums, operands);
    if (!keep[i]) sums.forget(at);
  }
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < wrt.size(); ++i) {
    Tensor g;
    if (w.wrt_at[i] != autodiff::Walk::nowhere) g = sums.at(w.wrt_at[i], wrt[i].output());
    result.push_back(g ? g : zeros_like(wrt[i]));
  }
  return result;
}

Gradients grad(const Tensor& loss, std::span<const Tensor> wrt) {
  check_tensor("grad", loss);
  if (loss.elements() != 1 || !is_floating(loss.dtype()))
    fail("grad",
         fmt::format("the loss must be one floating number, got {}; sum() or mean() it first",
                     describe(loss)));
  const Tensor one = full_like(loss, 1);
  return {vjp({&loss, 1}, {&one, 1}, wrt), loss};
}

Gradients grad(const Tensor& loss, std::initializer_list<Tensor> wrt) {
  return grad(loss, std::span<const Tensor>(wrt.begin(), wrt.size()));
}

std::pair<Tensor, std::vector<Tensor>> value_and_grad(
    const std::function<Tensor(const std::vector<Tensor>&)>& function,
    const std::vector<Tensor>& inputs) {
  const Tensor loss = function(inputs);
  return {loss, grad(loss, std::span<const Tensor>(inputs)).values};
}

}  // namespace genera
