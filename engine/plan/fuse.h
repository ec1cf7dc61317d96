/// Fusion: which nodes share a kernel, and which values are stored.
///
/// Nodes are taken users first. A node whose uses all lie in one kernel is computed there, behind whatever views lie between;
/// one that several kernels or primitives need is stored, by a kernel of a user if that makes no cycle, else by its own.
/// Light operations are computed again rather than stored, where that costs no more loads than the stored value would.
/// What only renames elements (views) costs nothing unless someone needs it as a buffer.
#pragma once

#include "backends/backend.h"
#include "engine/plan/index_map.h"
#include "engine/plan/plan_graph.h"

#include <vector>

namespace genera {

/// Something that a kernel stores.
struct KernelRoot {
  PlanValue value;         ///< what is computed; node -1: zero
  int target = -1;         ///< the stored node whose buffer it goes to
  IndexMap store;          ///< coordinates in the target, of the loop indices
  bool plus_zero = false;  ///< 0 is added before the store
};

/// The nodes of one kernel: everything that its roots need and that is not stored elsewhere.
struct Cluster {
  Shape space;                ///< loop extents
  std::uint64_t reduced = 0;  ///< loop axes that are reduced over
  std::vector<KernelRoot> roots;
  int size = 0;                        ///< nodes computed in it
  std::vector<PlanValue> open_inputs;  ///< what they need that is not (yet) computed in it
};

struct Fusion {
  std::vector<Cluster> clusters;
  std::vector<bool> stored;  ///< by node: its outputs lie in buffers
  /// by node: the cluster that computes and stores it; -1: a primitive step, a leaf or an alias
  std::vector<int> home;
  /// by node: its buffer is that of this node (a reshape of a stored value); -1: its own
  std::vector<int> alias;
};

/// What becomes of a node.
enum class NodeKind : std::uint8_t {
  leaf,
  literal,
  elementwise,
  view,
  reduction,
  assembled,
  primitive
};
NodeKind kind_of(const PlanNode& node, const PlanGraph& graph, const Backend& backend);

Fusion fuse(const PlanGraph& graph, const Backend& backend, bool enabled);

}  // namespace genera
