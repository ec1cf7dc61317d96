#include "engine/plan/index_needs.h"

#include "engine/graph/attributes.h"
#include "engine/plan/canonical.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

namespace genera {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

HostScalar number_of(const CanonicalGraph& graph, int node) {
  HostScalar number;
  std::memcpy(&number, graph.order[static_cast<std::size_t>(node)]->attr_data(), sizeof number);
  return number;
}

/// All values that a tensor may hold, no NaN among them; or anything at all.
struct Interval {
  double low = -infinity, high = infinity;
  bool known() const { return std::isfinite(low) && std::isfinite(high); }
};

Interval hull(const Interval& a, const Interval& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

Interval overlap(const Interval& a, const Interval& b) {
  return {std::max(a.low, b.low), std::min(a.high, b.high)};
}

/// The interval in the tensor's type: rounded, or unknown where an integer may have wrapped around.
Interval in_type(const Interval& x, DType dtype) {
  if (!x.known()) return {};
  if (dtype == DType::f32) return {static_cast<float>(x.low), static_cast<float>(x.high)};
  const bool fits = x.low >= -0x1p31 && x.high < 0x1p31;
  return dtype == DType::i32 && fits ? x : Interval{};
}

class IndexRanges {
 public:
  IndexRanges(const PlanGraph& graph, const CanonicalGraph& canonical)
      : graph_(graph), canonical_(canonical) {
    ranges_.reserve(graph.nodes.size());
    for (const PlanNode& node : graph.nodes) ranges_.push_back(first_output(node));
  }

  Interval of(const PlanValue& value) const {
    const PlanNode& node = graph_[value.node];
    if (node.op == Op::LU && value.output == 1)  // a permutation of the rows
      return {0, static_cast<double>(node.shape()[node.shape().rank() - 2] - 1)};
    return value.output == 0 ? ranges_[static_cast<std::size_t>(value.node)] : Interval{};
  }

  /// What a promise about indices rests on.
  struct Grounds {
    std::vector<std::pair<PlanValue, Interval>> leaves;
    std::set<int> scalars;  ///< canonical nodes, with the numbers that they have now
  };
  /// Adds what `value` in `wanted` rests on; false where that is not known.
  bool need(const PlanValue& value, const Interval& wanted, Grounds& grounds) const {
    const Interval range = of(value);
    if (range.low >= wanted.low && range.high <= wanted.high) {
      add_scalars(value.node, grounds.scalars);
      return true;
    }
    const PlanNode& node = graph_[value.node];
    const auto input_needs = [&](std::size_t i) { return need(node.inputs[i], wanted, grounds); };
    switch (node.op) {
      case Op::Leaf:
        grounds.leaves.emplace_back(value, wanted);
        return node.dtype(value.output) == DType::i32;
      case Op::Slice:
      case Op::Reshape:
      case Op::Permute:
      case Op::Broadcast:
      case Op::Gather:
        return input_needs(0);
      case Op::Select:
        return input_needs(1) && input_needs(2);
      case Op::Concat: {
        for (std::size_t i = 0; i < node.inputs.size(); ++i)
          if (!input_needs(i)) return false;
        return true;
      }
      default:
        return false;
    }
  }

 private:
  /// Whether the node's range follows from those of its inputs, and says something.
  static bool rests_on_inputs(const PlanNode& node, const Interval& range) {
    const bool by_itself = node.op == Op::ArgSort || node.op == Op::ArgMax || node.op == Op::LU ||
                           node.op == Op::Random;
    return !by_itself && (std::isfinite(range.low) || std::isfinite(range.high));
  }

  /// Numbers from the host that a range was worked out from.
  void add_scalars(int number, std::set<int>& scalars) const {
    std::vector<int> left{number};
    std::set<int> seen;
    while (!left.empty()) {
      const int at = left.back();
      const PlanNode& node = graph_[at];
      left.pop_back();
      if (node.op == Op::Scalar) scalars.insert(node.source);
      if (!rests_on_inputs(node, of({at, 0}))) continue;
      for (const PlanValue& input : node.inputs)
        if (seen.insert(input.node).second) left.push_back(input.node);
    }
  }

  Interval first_output(const PlanNode& node) const {
    const auto in = [&](std::size_t i) { return of(node.inputs[i]); };
    const auto extent = [&](const Shape& shape, std::int64_t axis) {
      return Interval{0, static_cast<double>(shape[static_cast<int>(axis)] - 1)};
    };
    const auto input_shape = [&]() -> const Shape& {
      return graph_[node.inputs[0].node].shape(node.inputs[0].output);
    };
    switch (node.op) {
      case Op::Const: {
        const auto& attrs = node.attr<ConstAttrs>();
        const double value =
            is_floating(node.dtype()) ? attrs.floating : static_cast<double>(attrs.integer);
        return in_type({value, value}, node.dtype());
      }
      case Op::Scalar:
        return number(node);
      case Op::Iota:
        return in_type(extent(node.shape(), node.attr<IotaAttrs>().axis), node.dtype());
      case Op::Random:
        return node.attr<RandomAttrs>().kind == RandomAttrs::uniform ? Interval{0, 1 - 0x1p-24}
                                                                     : Interval{};
      case Op::ArgMax:
        for (int d = 0; d < node.shape().rank(); ++d)
          if (node.attr<ReduceAttrs>().axes >> d & 1) return extent(input_shape(), d);
        return {};
      case Op::ArgSort:
        return extent(input_shape(), node.attr<AxisAttrs>().axis);
      case Op::Slice:
      case Op::Reshape:
      case Op::Permute:
      case Op::Broadcast:
      case Op::Gather:
        return in(0);
      case Op::Concat: {
        Interval all = in(0);
        for (std::size_t i = 1; i < node.inputs.size(); ++i) all = hull(all, in(i));
        return all;
      }
      case Op::Select:
        return within({static_cast<int>(ranges_.size()), 0}, {}, 4);
      default:
        return is_elementwise(node.op) && node.inputs.size() <= 2 ? computed(node) : Interval{};
    }
  }

  /// Of one or two operands whose ranges are known: results grow or fall with each operand, so the ends suffice.
  Interval computed(const PlanNode& node) const {
    const Interval a = of(node.inputs[0]);
    const Interval b = node.inputs.size() > 1 ? of(node.inputs[1]) : Interval{0, 0};
    if (!a.known() || !b.known()) return {};
    Interval result;
    switch (node.op) {
      case Op::Neg:
        result = {-a.high, -a.low};
        break;
      case Op::Add:
        result = {a.low + b.low, a.high + b.high};
        break;
      case Op::Mul: {
        const auto [low, high] =
            std::minmax({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high});
        result = {low, high};
        break;
      }
      case Op::Floor:
        result = {std::floor(a.low), std::floor(a.high)};
        break;
      case Op::Cast:
        result = is_floating(node.dtype()) ? a : Interval{std::trunc(a.low), std::trunc(a.high)};
        break;
      default:
        return {};
    }
    return in_type(result, node.dtype());
  }

  /// What is known of values in a branch of a Select.
  using Known = std::vector<std::pair<PlanValue, Interval>>;

  /// The range of `value` where `known` holds. A Select whose condition compares integers is looked into, so that clip() is seen
  /// for what it is.
  Interval within(PlanValue value, const Known& known, int depth) const {
    value = source(value);
    const PlanNode& node = graph_[value.node];
    const bool made = value.node < static_cast<int>(ranges_.size());
    Interval range = made ? of(value) : Interval{};
    for (const auto& [other, bound] : known)
      if (other == value) range = overlap(range, bound);
    if (node.op != Op::Select || depth == 0) return range;
    const auto [then, otherwise] = branches(node, known);
    return overlap(range, hull(within(node.inputs[1], then, depth - 1),
                               within(node.inputs[2], otherwise, depth - 1)));
  }

  /// `known`, and what follows from the condition being true and false.
  std::pair<Known, Known> branches(const PlanNode& select, const Known& known) const {
    std::pair<Known, Known> result{known, known};
    const PlanNode& condition = graph_[select.inputs[0].node];
    if (condition.op != Op::Less || graph_[condition.inputs[0].node].dtype() != DType::i32)
      return result;
    const PlanValue a = source(condition.inputs[0]), b = source(condition.inputs[1]);
    const Interval of_a = of(a), of_b = of(b);
    result.first.insert(result.first.end(),
                        {{a, {-infinity, of_b.high}}, {b, {of_a.low, infinity}}});
    result.second.insert(result.second.end(),
                         {{a, {of_b.low, infinity}}, {b, {-infinity, of_a.high}}});
    return result;
  }

  /// One number spread over a shape is the same everywhere: the number itself. More numbers may have changed places.
  PlanValue source(PlanValue value) const {
    for (PlanValue at = value;
         graph_[at.node].op == Op::Broadcast || graph_[at.node].op == Op::Reshape;) {
      at = graph_[at.node].inputs[0];
      if (graph_[at.node].shape(at.output).elements() == 1) value = at;
    }
    return value;
  }

  Interval number(const PlanNode& scalar) const {
    const HostScalar value = number_of(canonical_, scalar.source);
    const double x =
        is_floating(scalar.dtype()) ? value.floating : static_cast<double>(value.integer);
    return in_type({x, x}, scalar.dtype());
  }

  const PlanGraph& graph_;
  const CanonicalGraph& canonical_;
  std::vector<Interval> ranges_;
};

Interval indexed(const PlanGraph& graph, const PlanNode& node) {
  const std::int64_t axis =
      node.op == Op::Gather ? node.attr<GatherAttrs>().axis : node.attr<ScatterAttrs>().axis;
  const PlanValue& table = node.inputs[0];
  return {0,
          static_cast<double>(graph[table.node].shape(table.output)[static_cast<int>(axis)] - 1)};
}

}  // namespace

std::optional<Plan::IndexNeeds> index_needs(const PlanGraph& graph, const CanonicalGraph& canonical,
                                            const Plan& plan) {
  const auto indexes = [](const PlanNode& node) {
    return node.op == Op::Gather || node.op == Op::ScatterAdd;
  };
  Plan::IndexNeeds needs;
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), indexes)) return needs;
  const IndexRanges ranges(graph, canonical);
  IndexRanges::Grounds grounds;
  for (const PlanNode& node : graph.nodes)
    if (indexes(node) && !ranges.need(node.inputs[1], indexed(graph, node), grounds))
      return std::nullopt;
  for (const auto& [value, wanted] : grounds.leaves) {
    const auto leaf = std::find_if(
        plan.leaves.begin(), plan.leaves.end(), [&, &value = value](const Plan::Leaf& candidate) {
          return candidate.node == graph[value.node].source && candidate.output == value.output;
        });
    if (leaf == plan.leaves.end()) return std::nullopt;
    needs.leaves.push_back({static_cast<int>(leaf - plan.leaves.begin()),
                            static_cast<std::int32_t>(wanted.low),
                            static_cast<std::int32_t>(std::min(wanted.high, 0x1p31 - 1))});
  }
  for (const int node : grounds.scalars) {
    const auto scalar = std::find(plan.scalars.begin(), plan.scalars.end(), node);
    if (scalar == plan.scalars.end()) continue;  // no step reads it
    const HostScalar number = number_of(canonical, node);
    needs.scalars.push_back(
        {static_cast<int>(scalar - plan.scalars.begin()), number.floating, number.integer});
  }
  return needs;
}

}  // namespace genera
