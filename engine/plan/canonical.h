/// The canonical form of a graph: nodes in a fixed order and a key that two graphs share exactly when one plan serves both.
#pragma once

#include "engine/graph/node.h"

#include <span>
#include <string>
#include <vector>

namespace genera {

/// A state's leaf whose memory the new value `root` (an index into the roots) may take over.
struct Donation {
  Node* leaf;
  int root;
};

struct CanonicalGraph {
  std::vector<Node*> order;  ///< inputs before users; node->index is its position
  std::vector<Value> roots;  ///< what is to be computed
  std::vector<Donation> donations;
  std::string key;
};

/// What a node computes from: nothing for a leaf or a value already there, the body's outputs for a Call.
std::span<const Value> plan_inputs(const Node* node);

/// Walks from `roots` and writes the key. Call with graph_mutex() held. ConsumedError when a consumed leaf is reached.
void canonicalize(std::span<const Value> roots, std::span<const Donation> donations,
                  std::uint8_t options, CanonicalGraph& out);

/// True when the plan stores this node's value: a root, or someone holds a handle on it.
bool is_requested(const Node* node);

}  // namespace genera
