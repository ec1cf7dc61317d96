#include "engine/graph/attributes.h"
#include "engine/plan/padded_parts.h"
#include "engine/plan/plan_graph.h"

#include <algorithm>
#include <optional>
#include <string>
#include <unordered_map>

namespace genera {
namespace {

/// Builds the simplified graph node by node; equal nodes are made once.
class Simplifier {
 public:
  Simplifier(const PlanGraph& old, bool rewrite) : old_(old), rewrite_(rewrite) {}

  PlanGraph run() {
    map_.resize(old_.nodes.size());
    const std::vector<int> uses = count_uses();
    for (int i = 0; i < old_.size(); ++i) {
      PlanNode node = old_[i];
      sole_user_ =
          node.inputs.size() == 1 && uses[static_cast<std::size_t>(node.inputs[0].node)] == 1;
      for (PlanValue& input : node.inputs) input = mapped(input);
      if (node.op == Op::Call) continue;  // its users already name its body
      map_[static_cast<std::size_t>(i)] =
          rewrite_ ? simplified(std::move(node)) : add(std::move(node));
    }
    for (const PlanGraph::Result& result : old_.results) {
      const PlanValue value = mapped(result.value);
      graph_[value.node].requested = true;
      graph_.results.push_back({result.node, result.output, value});
    }
    return drop_dead();
  }

 private:
  /// By node: its users, and one more when it is a result.
  std::vector<int> count_uses() const {
    std::vector<int> uses(old_.nodes.size(), 0);
    for (const PlanNode& node : old_.nodes)
      for (const PlanValue& input : node.inputs) ++uses[static_cast<std::size_t>(input.node)];
    for (const PlanGraph::Result& result : old_.results)
      ++uses[static_cast<std::size_t>(result.value.node)];
    return uses;
  }

  PlanValue mapped(PlanValue value) const {
    const PlanValue base = map_[static_cast<std::size_t>(value.node)];
    return {base.node, value.output == 0 ? base.output : value.output};
  }
  const PlanNode& at(PlanValue value) const { return graph_[value.node]; }
  const Shape& shape(PlanValue value) const { return at(value).shape(value.output); }

  /// Adds the node, or finds the equal one.
  PlanValue add(PlanNode node) {
    node.requested = false;
    // What someone else fills in has an identity of its own, and a barrier keeps what it guards apart.
    const bool unique = node.op == Op::Leaf || node.op == Op::Scalar || node.op == Op::Barrier;
    if (unique) {
      graph_.nodes.push_back(std::move(node));
      return {graph_.size() - 1, 0};
    }
    std::string key(1, static_cast<char>(node.op));
    key.append(reinterpret_cast<const char*>(node.attrs.data()), node.attrs.size());
    for (const PlanValue& input : node.inputs)
      key.append(reinterpret_cast<const char*>(&input), sizeof input);
    key.push_back(static_cast<char>(node.outputs[0].dtype));
    for (const std::int64_t extent : node.outputs[0].shape)
      key.append(reinterpret_cast<const char*>(&extent), sizeof extent);
    const auto [found, inserted] = known_.try_emplace(std::move(key), graph_.size());
    if (inserted) graph_.nodes.push_back(std::move(node));
    return {found->second, 0};
  }

  /// Adds a node like `node` but with another input, and simplifies again.
  PlanValue with_input(PlanNode node, PlanValue input) {
    node.inputs = {input};
    return simplified(std::move(node));
  }

  PlanValue simplified(PlanNode node) {
    if (node.inputs.empty() || node.op == Op::Leaf) return add(std::move(node));
    const PlanValue x = node.inputs[0];
    const bool one_input = node.inputs.size() == 1;
    switch (node.op) {
      case Op::Barrier:
        if (one_input) return x;
        break;
      case Op::Reshape:
      case Op::Broadcast:
      case Op::Permute:
        if (node.shape() == shape(x) && node.op != Op::Permute) return x;
        if (is_splat(x)) return resplat(x, node.shape());
        if (node.op != Op::Permute && at(x).op == node.op)
          return with_input(std::move(node), at(x).inputs[0]);
        if (node.op == Op::Permute && at(x).op == Op::Permute)
          return merged_permutes(std::move(node));
        if (node.op == Op::Permute && at(x).op == Op::MatMul && sole_user_ && swaps_last_two(node))
          return transposed_product(node);
        break;
      case Op::Slice:
        if (one_input && is_splat(x)) return resplat(x, node.shape());
        break;
      case Op::Neg:
        if (at(x).op == Op::Neg) return at(x).inputs[0];
        break;
      case Op::Mul:
        if (is_one(node.inputs[1])) return x;
        if (is_one(x)) return node.inputs[1];
        break;
      case Op::ReduceSum:
      case Op::ReduceMax:
        if (node.shape() == shape(x)) return x;  // only axes of extent 1
        break;
      case Op::Add:
        if (const auto sum = sum_of_parts(node)) return *sum;
        break;
      default:
        break;
    }
    return add(std::move(node));
  }

  bool is_splat(PlanValue value) const {
    return at(value).op == Op::Const || at(value).op == Op::Scalar;
  }
  PlanValue resplat(PlanValue splat, const Shape& shape) {
    PlanNode node = at(splat);
    node.outputs[0].shape = shape;
    return add(std::move(node));
  }
  bool is_one(PlanValue value) const {
    if (at(value).op != Op::Const) return false;
    const auto& literal = at(value).attr<ConstAttrs>();
    return is_floating(at(value).dtype()) ? literal.floating == 1 : literal.integer == 1;
  }
  PlanValue merged_permutes(PlanNode node) {
    const PlanNode& inner = at(node.inputs[0]);
    PermuteAttrs attrs{};
    bool identity = true;
    for (int d = 0; d < node.shape().rank(); ++d) {
      const auto at_axis = static_cast<std::size_t>(d);
      attrs.axes[at_axis] =
          inner.attr<PermuteAttrs>()
              .axes[static_cast<std::size_t>(node.attr<PermuteAttrs>().axes[at_axis])];
      identity = identity && attrs.axes[at_axis] == d;
    }
    const PlanValue input = inner.inputs[0];
    if (identity) return input;
    node.set_attr(attrs);
    node.inputs = {input};
    return add(std::move(node));
  }

  static bool swaps_last_two(const PlanNode& permute) {
    const auto& axes = permute.attr<PermuteAttrs>().axes;
    const int rank = permute.shape().rank();
    for (int d = 0; d < rank - 2; ++d)
      if (axes[static_cast<std::size_t>(d)] != d) return false;
    return rank >= 2 && axes[static_cast<std::size_t>(rank - 1)] == rank - 2;
  }
  /// (A B)^T = B^T A^T: each element is the same sum in the same order, and it comes out in the layout that is wanted. Weight
  /// gradients of linear layers are such products.
  PlanValue transposed_product(const PlanNode& permute) {
    const PlanNode product = at(permute.inputs[0]);
    const auto transposed = [&](PlanValue operand) {
      PlanNode node = permute;
      const Shape& s = shape(operand);
      const int rank = s.rank();
      node.inputs = {operand};
      node.outputs[0].shape = s.with(rank - 2, s[rank - 1]).with(rank - 1, s[rank - 2]);
      return simplified(std::move(node));
    };
    PlanNode result = product;
    result.outputs[0].shape = permute.shape();
    sole_user_ = false;
    result.inputs = {transposed(product.inputs[1]), transposed(product.inputs[0])};
    return add(std::move(result));
  }

  /// x as parts along one axis, when it is a Pad along one axis or a sum of such.
  std::optional<PaddedParts> parts_of(PlanValue x) const {
    if (const auto known = sums_.find(x.node); known != sums_.end()) return known->second;
    const PlanNode& node = at(x);
    if (node.op != Op::Pad) return std::nullopt;
    const auto& pad = node.attr<PadAttrs>();
    PaddedParts parts;
    for (int d = 0; d < node.shape().rank(); ++d) {
      const auto i = static_cast<std::size_t>(d);
      if (pad.interior[i] != 0) return std::nullopt;
      if (pad.lo[i] == 0 && pad.hi[i] == 0) continue;
      if (parts.axis != -1) return std::nullopt;
      parts.axis = d;
    }
    if (parts.axis == -1) return std::nullopt;
    const std::int64_t start = pad.lo[static_cast<std::size_t>(parts.axis)];
    const std::int64_t end = start + shape(node.inputs[0])[parts.axis];
    parts.parts.push_back({start, end, {{node.inputs[0], start}}});
    return parts;
  }

  /// A sum with padded tensors, part by part, as one Concat: without it, gradients of splits, of
  /// slices that overlap and of unrolled recurrences would move memory quadratic in their length.
  std::optional<PlanValue> sum_of_parts(const PlanNode& node) {
    auto a = parts_of(node.inputs[0]), b = parts_of(node.inputs[1]);
    if (!a && !b) return std::nullopt;
    const int axis = a ? a->axis : b->axis;
    const auto whole = [&](PlanValue value) {
      return PaddedParts{axis, {{0, node.shape()[axis], {{value, 0}}}}};
    };
    auto sum = sum_of(a ? *a : whole(node.inputs[0]), b ? *b : whole(node.inputs[1]));
    if (!sum) return std::nullopt;
    const PlanValue value = concatenation(node, *sum);
    sums_.insert_or_assign(value.node, std::move(*sum));
    return value;
  }

  /// `like` as the parts of `sum` and the zeros between them.
  PlanValue concatenation(const PlanNode& like, const PaddedParts& sum) {
    const bool all_plus_zero = std::all_of(sum.parts.begin(), sum.parts.end(),
                                           [](const auto& part) { return part.plus_zero; });
    PlanNode concat = like;
    concat.op = Op::Concat;
    concat.set_attr(ConcatAttrs{sum.axis, all_plus_zero ? 1 : 0});
    concat.inputs.clear();
    std::int64_t end = 0;
    const auto fill_to = [&](std::int64_t start) {
      if (start > end) concat.inputs.push_back(zeros(like, sum.axis, start - end));
    };
    for (const PaddedParts::Part& part : sum.parts) {
      fill_to(part.start);
      PlanValue value = slice_of(part.terms[0], sum.axis, part);
      for (std::size_t i = 1; i < part.terms.size(); ++i)
        value = added(like, value, slice_of(part.terms[i], sum.axis, part));
      if (part.plus_zero && !all_plus_zero)
        value = added(like, value, zeros(like, sum.axis, part.end - part.start));
      concat.inputs.push_back(value);
      end = part.end;
    }
    fill_to(like.shape()[sum.axis]);
    return add(std::move(concat));
  }
  /// The elements of a term that belong to a part.
  PlanValue slice_of(const PaddedParts::Term& term, int axis, const PaddedParts::Part& part) {
    const Shape whole = shape(term.value);
    PlanNode node;
    node.op = Op::Slice;
    node.inputs = {term.value};
    node.outputs = {
        {at(term.value).dtype(term.value.output), whole.with(axis, part.end - part.start)}};
    node.scope = at(term.value).scope;
    if (node.shape() == whole) return term.value;
    SliceAttrs attrs{};
    for (int d = 0; d < whole.rank(); ++d) attrs.step[static_cast<std::size_t>(d)] = 1;
    attrs.start[static_cast<std::size_t>(axis)] = part.start - term.start;
    node.set_attr(attrs);
    return simplified(std::move(node));
  }
  PlanValue added(const PlanNode& like, PlanValue a, PlanValue b) {
    PlanNode node = like;
    node.outputs[0].shape = shape(a);
    node.inputs = {a, b};
    return add(std::move(node));
  }
  PlanValue zeros(const PlanNode& like, int axis, std::int64_t extent) {
    PlanNode node;
    node.op = Op::Const;
    node.set_attr(ConstAttrs{0, 0});
    node.outputs = {{like.dtype(), like.shape().with(axis, extent)}};
    node.scope = like.scope;
    return add(std::move(node));
  }

  PlanGraph drop_dead() const {
    std::vector<bool> used(graph_.nodes.size(), false);
    for (int i = graph_.size() - 1; i >= 0; --i) {
      const auto n = static_cast<std::size_t>(i);
      if (graph_[i].requested) used[n] = true;
      if (!used[n]) continue;
      for (const PlanValue& input : graph_[i].inputs)
        used[static_cast<std::size_t>(input.node)] = true;
    }
    PlanGraph result;
    std::vector<int> number(graph_.nodes.size(), -1);
    for (int i = 0; i < graph_.size(); ++i) {
      if (!used[static_cast<std::size_t>(i)]) continue;
      PlanNode node = graph_[i];
      for (PlanValue& input : node.inputs)
        input.node = number[static_cast<std::size_t>(input.node)];
      number[static_cast<std::size_t>(i)] = result.size();
      result.nodes.push_back(std::move(node));
    }
    for (PlanGraph::Result r : graph_.results) {
      r.value.node = number[static_cast<std::size_t>(r.value.node)];
      result.results.push_back(r);
    }
    return result;
  }

  const PlanGraph& old_;
  const bool rewrite_;
  bool sole_user_ = false;  ///< the node being simplified is its input's only user
  PlanGraph graph_;
  std::vector<PlanValue> map_;
  std::unordered_map<std::string, int> known_;
  std::unordered_map<int, PaddedParts> sums_;
};

}  // namespace

PlanGraph simplify(const PlanGraph& graph, bool rewrite) {
  return Simplifier(graph, rewrite).run();
}

}  // namespace genera
