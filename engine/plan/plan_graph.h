/// The planner's own copy of a graph: what the graph's nodes become once their identity no longer matters.
#pragma once

#include <genera/dtype.h>
#include <genera/shape.h>

#include "engine/graph/node.h"
#include "engine/graph/primitive.h"

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace genera {

struct PlanValue {
  int node = -1;
  int output = 0;
  friend bool operator==(const PlanValue&, const PlanValue&) = default;
};

struct PlanType {
  DType dtype{};
  Shape shape;
};

struct PlanNode {
  Op op{};
  std::vector<std::byte> attrs;
  std::vector<PlanValue> inputs;
  std::vector<PlanType> outputs;
  std::uint32_t scope = 0;
  int source = -1;         ///< Leaf and Scalar: the canonical node whose value or number this is
  bool requested = false;  ///< its outputs are results of the plan

  template <class A>
  const A& attr() const {
    return *reinterpret_cast<const A*>(attrs.data());
  }
  template <class A>
  void set_attr(const A& a) {
    attrs.resize(sizeof a);
    std::memcpy(attrs.data(), &a, sizeof a);
  }
  const Shape& shape(int output = 0) const {
    return outputs[static_cast<std::size_t>(output)].shape;
  }
  DType dtype(int output = 0) const { return outputs[static_cast<std::size_t>(output)].dtype; }
};

/// Nodes with inputs before users.
struct PlanGraph {
  std::vector<PlanNode> nodes;
  /// The results: output `output` of canonical node `node` is `value`.
  struct Result {
    int node;
    int output;
    PlanValue value;
  };
  std::vector<Result> results;

  const PlanNode& operator[](int node) const { return nodes[static_cast<std::size_t>(node)]; }
  PlanNode& operator[](int node) { return nodes[static_cast<std::size_t>(node)]; }
  int size() const { return static_cast<int>(nodes.size()); }
};

/// A graph in canonical order with its key (canonical.cpp).
struct CanonicalGraph;

/// The planner's copy of a canonical graph.
PlanGraph import_graph(const CanonicalGraph& graph);

/// Merges equal nodes, drops what does nothing, turns sums of disjoint padded parts into Concat. Exact: never changes a bit.
/// `rewrite` false only merges and drops dead nodes.
PlanGraph simplify(const PlanGraph& graph, bool rewrite);

}  // namespace genera
