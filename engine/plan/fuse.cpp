#include "engine/plan/fuse.h"

#include "engine/graph/attributes.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

namespace genera {
namespace {

/// One use of a value: by a kernel (map or at least flat says which element), or as a buffer.
struct Use {
  static constexpr int buffer = -1;   ///< row-major in memory
  static constexpr int strided = -2;  ///< in memory, any affine view of it

  int where = buffer;           ///< a cluster, or one of the above
  Shape space;                  ///< loop extents: the cluster's, or the operand's shape
  std::optional<IndexMap> map;  ///< coordinates in the value; without it the value must be stored
};

constexpr int most_members =
    44;  // literals included; leaves room for loads within Kernel::max_instructions

IndexMap kept_map(int rank, std::uint64_t axes);

class Fuser {
 public:
  Fuser(const PlanGraph& graph, const Backend& backend, bool enabled)
      : graph_(graph), backend_(backend), enabled_(enabled) {
    const auto n = graph.nodes.size();
    uses_.resize(n);
    units_.resize(n);
    users_.resize(n);
    result_.stored.assign(n, false);
    result_.home.assign(n, -1);
    result_.alias.assign(n, -1);
    for (int i = 0; i < graph.size(); ++i) {
      kinds_.push_back(kind_of(graph[i], graph, backend));
      for (const PlanValue& input : graph[i].inputs) users_[at(input.node)].push_back(i);
    }
  }

  Fusion run() {
    for (int node = graph_.size() - 1; node >= 0; --node) {
      place(node);
      uses_[at(node)].clear();
    }
    return std::move(result_);
  }

 private:
  static std::size_t at(int node) { return static_cast<std::size_t>(node); }
  Cluster& cluster(int c) { return result_.clusters[static_cast<std::size_t>(c)]; }

  void place(int node) {
    switch (kinds_[at(node)]) {
      case NodeKind::leaf:
        result_.stored[at(node)] = true;
        break;
      case NodeKind::literal:
      case NodeKind::elementwise:
        place_computed(node);
        break;
      case NodeKind::view:
        place_view(node);
        break;
      case NodeKind::reduction:
        place_reduction(node);
        break;
      case NodeKind::assembled:
        place_assembled(node);
        break;
      case NodeKind::primitive:
        place_primitive(node);
        break;
    }
  }

  // --- what each kind does ---

  void place_primitive(int node) {
    result_.stored[at(node)] = true;
    const PlanNode& n = graph_[node];
    const bool strided = n.op == Op::MatMul && enabled_ && backend_.strided_matmul(n.dtype());
    for (const PlanValue& input : n.inputs) {
      const Shape& shape = graph_[input.node].shape(input.output);
      if (strided)
        add_use(input, {Use::strided, shape, identity_map(shape.rank())});
      else
        add_use(input, {Use::buffer, {}, std::nullopt});
    }
  }

  void place_view(int node) {
    const PlanNode& n = graph_[node];
    const PlanValue input = n.inputs[0];
    const Shape& in_shape = graph_[input.node].shape(input.output);
    bool needed = n.requested || !enabled_;
    std::vector<std::optional<IndexMap>> passed;  // the uses as seen by the input
    for (const Use& use : uses_[at(node)]) {
      if (use.where == Use::buffer || !use.map) needed = true;
      if (needed) break;
      passed.push_back(
          through_view(n.op, n.attrs.data(), in_shape, n.shape(), *use.map, use.space.extents()));
      // A reshape that is not affine in coordinates is still a plain element number in a stored input.
      const bool flat = n.op == Op::Reshape && use.where >= 0;
      if (!passed.back() && !flat) needed = true;
    }
    if (!needed) {
      for (std::size_t u = 0; u < passed.size(); ++u) {
        const Use& use = uses_[at(node)][u];
        add_use(input, {use.where, use.space, std::move(passed[u])});
      }
      return;
    }
    result_.stored[at(node)] = true;
    if (n.op == Op::Reshape || n.op == Op::Barrier) {  // the same bytes
      result_.alias[at(node)] = input.node;
      add_use(input, {Use::buffer, {}, std::nullopt});
      // A kernel that loads this one loads the input's buffer, so it cannot be the kernel that computes the input.
      for (const Use& use : uses_[at(node)])
        if (use.where >= 0) add_use(input, {use.where, use.space, std::nullopt});
    } else {
      const int home = new_cluster(n.shape(), 0);
      become_root(node, home);
      join(node, home);
    }
  }

  void place_computed(int node) {
    const PlanNode& n = graph_[node];
    const std::vector<Use>& uses = uses_[at(node)];
    bool needed = n.requested || (!enabled_ && !is_literal(node));
    std::vector<int> kernels;
    std::int64_t work = 0;  // elements computed if nothing is stored
    bool several_maps = false;
    for (const Use& use : uses) {
      if (use.where < 0 || !use.map) needed = true;
      if (use.where < 0) continue;
      if (std::find(kernels.begin(), kernels.end(), use.where) == kernels.end())
        kernels.push_back(use.where);
      else
        several_maps = true;
      work += cluster(use.where).space.elements();
    }
    if (is_literal(node) && !needed) return;
    const bool again = kernels.size() > 1 || several_maps || work > n.shape().elements();
    const bool same_space =
        !several_maps && work == static_cast<std::int64_t>(kernels.size()) * n.shape().elements();
    if (!needed && (!again || is_cheap(node) || (same_space && costs_no_load(node, kernels)))) {
      if (std::all_of(kernels.begin(), kernels.end(), [&](int k) { return has_room(node, k); })) {
        for (const Use& use : uses) join(node, use.where, *use.map);
        return;
      }
    }
    result_.stored[at(node)] = true;
    int home = enabled_ ? welcoming_cluster(node) : -1;
    if (home < 0) home = new_cluster(n.shape(), 0);
    become_root(node, home);
    join(node, home);
  }

  void place_reduction(int node) {
    const PlanNode& n = graph_[node];
    const PlanValue input = n.inputs[0];
    const Shape& space = graph_[input.node].shape(input.output);
    const std::uint64_t axes = n.attr<ReduceAttrs>().axes;
    result_.stored[at(node)] = true;
    int home = enabled_ ? sibling(node, space, axes) : -1;
    if (home < 0) home = new_cluster(space, axes);
    become_root(node, home);
    join(node, home, identity_map(space.rank()));
  }

  /// A cluster that reduces over the same axes and reads the reduction's input, or what that is computed from, so that one
  /// pass over memory serves both; -1: none.
  int sibling(int node, const Shape& space, std::uint64_t axes) {
    constexpr std::size_t most = 32;
    const IndexMap whole = identity_map(space.rank()), kept = kept_map(space.rank(), axes);
    std::vector<int> read{graph_[node].inputs[0].node};
    for (std::size_t i = 0; i < read.size(); ++i) {
      for (const Use& use : uses_[at(read[i])])
        if (use.where >= 0 && use.map && *use.map == whole && cluster(use.where).reduced == axes &&
            cluster(use.where).space == space && used_only_as(node, use.where, kept) &&
            has_room(node, use.where) && !reaches(node, use.where))
          return use.where;
      if (kinds_[at(read[i])] != NodeKind::elementwise) continue;
      for (const PlanValue& input : graph_[read[i]].inputs)
        if (read.size() < most && std::find(read.begin(), read.end(), input.node) == read.end() &&
            graph_[input.node].shape(input.output) == space)
          read.push_back(input.node);
    }
    return -1;
  }

  void place_assembled(int node) {
    const PlanNode& n = graph_[node];
    result_.stored[at(node)] = true;
    const auto part = [&](PlanValue value, const Shape& space, IndexMap store, bool plus_zero) {
      const int c = new_cluster(space, 0);
      cluster(c).roots.push_back({value, node, std::move(store), plus_zero});
      ++cluster(c).size;
      add_unit(node, c);
      if (value.node >= 0) {
        cluster(c).open_inputs.push_back(value);
        add_use(value, {c, space, identity_map(space.rank())});
      }
    };
    const auto moved = [&](const PerAxis& start, const PerAxis& step) {
      IndexMap map = identity_map(n.shape().rank());
      for (std::size_t d = 0; d < map.axes.size(); ++d) {
        map.axes[d].offset = start[d];
        map.axes[d].stride[d] = step[d];
      }
      return map;
    };
    PerAxis start{}, step;
    step.fill(1);
    const IndexMap all = identity_map(n.shape().rank());
    if (n.op == Op::Concat) {
      const auto& attrs = n.attr<ConcatAttrs>();
      for (const PlanValue& input : n.inputs) {
        const Shape& shape = graph_[input.node].shape(input.output);
        part(input, shape, moved(start, step), attrs.plus_zero != 0);
        start[static_cast<std::size_t>(attrs.axis)] += shape[static_cast<int>(attrs.axis)];
      }
    } else if (n.op == Op::Pad) {
      const auto& attrs = n.attr<PadAttrs>();
      for (std::size_t d = 0; d < step.size(); ++d) step[d] = attrs.interior[d] + 1;
      part({-1, 0}, n.shape(), all, false);
      part(n.inputs[0], graph_[n.inputs[0].node].shape(n.inputs[0].output), moved(attrs.lo, step),
           false);
    } else {  // SliceUpdate
      part(n.inputs[0], n.shape(), all, false);
      part(n.inputs[1], graph_[n.inputs[1].node].shape(n.inputs[1].output),
           moved(n.attr<SliceUpdateAttrs>().start, step), false);
    }
  }

  // --- clusters ---

  int new_cluster(const Shape& space, std::uint64_t reduced) {
    Cluster fresh;
    fresh.space = space;
    fresh.reduced = reduced;
    result_.clusters.push_back(std::move(fresh));
    return static_cast<int>(result_.clusters.size()) - 1;
  }

  void become_root(int node, int home) {
    const int rank = graph_[node].shape().rank();
    cluster(home).roots.push_back({{node, 0}, node, identity_map(rank), false});
    result_.home[at(node)] = home;
  }

  /// Computes `node` in cluster c and tells its inputs that they are used there.
  void join(int node, int c, const IndexMap& map) {
    const PlanNode& n = graph_[node];
    add_unit(node, c);
    auto& open = cluster(c).open_inputs;
    std::erase_if(open, [&](const PlanValue& v) { return v.node == node; });
    cluster(c).size += 1;
    if (n.op == Op::Random) return;  // its key is a host number
    for (const PlanValue& input : n.inputs) {
      if (is_literal(input.node))
        cluster(c).size += 1;
      else if (std::find(open.begin(), open.end(), input) == open.end())
        open.push_back(input);
      std::optional<IndexMap> input_map = map;
      if (kinds_[at(node)] == NodeKind::view)
        input_map = through_view(n.op, n.attrs.data(), graph_[input.node].shape(input.output),
                                 n.shape(), map, cluster(c).space.extents());
      add_use(input, {c, cluster(c).space, std::move(input_map)});
    }
  }
  void join(int node, int c) { join(node, c, identity_map(graph_[node].shape().rank())); }

  bool has_room(int node, int c) {
    const Cluster& k = cluster(c);
    const std::size_t buffers =
        k.open_inputs.size() + k.roots.size() + graph_[node].inputs.size() + 1;
    return k.size < most_members && buffers <= static_cast<std::size_t>(Kernel::max_buffers);
  }

  /// A cluster that uses the node element by element and may compute and store it without a cycle.
  int welcoming_cluster(int node) {
    const Shape& shape = graph_[node].shape();
    for (const Use& use : uses_[at(node)])
      if (use.where >= 0 && cluster(use.where).space == shape &&
          used_only_as(node, use.where, identity_map(shape.rank())) && has_room(node, use.where) &&
          !reaches(node, use.where))
        return use.where;
    return -1;
  }

  /// Whether all uses of the node in cluster c read it through `map`: a kernel cannot load what it stores itself.
  bool used_only_as(int node, int c, const IndexMap& map) const {
    return std::all_of(uses_[at(node)].begin(), uses_[at(node)].end(), [&](const Use& use) {
      return use.where != c || (use.map && *use.map == map);
    });
  }

  // --- uses ---

  void add_use(PlanValue value, Use use) {
    for (const Use& known : uses_[at(value.node)])
      if (known.where == use.where && known.map == use.map && known.space == use.space) return;
    uses_[at(value.node)].push_back(std::move(use));
  }
  void add_unit(int node, int where) {
    if (where >= 0 && std::find(units_[at(node)].begin(), units_[at(node)].end(), where) ==
                          units_[at(node)].end())
      units_[at(node)].push_back(where);
  }

  bool is_literal(int node) const { return kinds_[at(node)] == NodeKind::literal; }

  /// One operation that costs no more than the load that storing its result would save.
  bool is_light(int node) const {
    const Op op = graph_[node].op;
    return op == Op::Cast || (is_elementwise(op) && info(op).cost <= 1);
  }

  bool in_memory(int node) const {
    const NodeKind kind = kinds_[at(node)];
    return kind == NodeKind::leaf || kind == NodeKind::primitive || kind == NodeKind::reduction;
  }

  /// A value in memory, seen as a larger one: its loads hardly count.
  bool is_spread(int node) const {
    int source = node;
    while (kinds_[at(source)] == NodeKind::view) source = graph_[source].inputs[0].node;
    return in_memory(source) &&
           8 * graph_[source].shape().elements() <= graph_[node].shape().elements();
  }

  /// Computed again rather than stored: a light operation on one value that is in memory anyway.
  bool is_cheap(int node) const {
    if (!is_light(node)) return false;
    int loads = 0;
    for (const PlanValue& input : graph_[node].inputs) {
      if (is_literal(input.node) || is_spread(input.node)) continue;
      if (!in_memory(input.node)) return false;
      ++loads;
    }
    return loads <= 1;
  }

  /// What cluster c loads, or will compute by light operations before the walk has come to what it loads, if `node` is
  /// stored elsewhere.
  std::vector<PlanValue> at_hand_without(int node, int c) const {
    constexpr std::size_t most = 32;
    std::vector<PlanValue> values = result_.clusters[static_cast<std::size_t>(c)].open_inputs;
    std::erase(values, PlanValue{node, 0});
    for (std::size_t i = 0; i < values.size() && values.size() < most; ++i) {
      if (!is_light(values[i].node)) continue;
      for (const PlanValue& input : graph_[values[i].node].inputs)
        if (std::find(values.begin(), values.end(), input) == values.end()) values.push_back(input);
    }
    return values;
  }

  /// Whether the node is a light operation on these values, or on light operations on them.
  bool is_made_of(int node, const std::vector<PlanValue>& values, int depth = 3) const {
    if (!is_light(node)) return false;
    const auto& inputs = graph_[node].inputs;
    return std::all_of(inputs.begin(), inputs.end(), [&](const PlanValue& v) {
      return is_literal(v.node) || std::find(values.begin(), values.end(), v) != values.end() ||
             (depth > 0 && is_made_of(v.node, values, depth - 1));
    });
  }

  /// Whether all these clusters can compute the node instead of loading it from the one that would store it.
  bool costs_no_load(int node, const std::vector<int>& clusters) {
    if (!is_light(node)) return false;
    const int home = welcoming_cluster(node);
    return home >= 0 && std::all_of(clusters.begin(), clusters.end(), [&](int c) {
             return c == home || is_made_of(node, at_hand_without(node, c));
           });
  }

  /// What runs as one: a cluster (its number) or a primitive step (~node).
  using Unit = int;

  /// The units that read `node`, straight or through views that are not computed.
  void units_using(int node, std::vector<Unit>& out) const {
    for (const int user : users_[at(node)]) {
      const bool passes = kinds_[at(user)] == NodeKind::view && units_[at(user)].empty();
      if (passes)
        units_using(user, out);
      else if (units_[at(user)].empty())
        out.push_back(~user);
      else
        out.insert(out.end(), units_[at(user)].begin(), units_[at(user)].end());
    }
  }

  /// The clusters that write their parts of an assembled node after cluster c wrote its own.
  void parts_after(int c, int node, std::vector<Unit>& out) const {
    if (kinds_[at(node)] != NodeKind::assembled) return;
    const auto& parts = units_[at(node)];
    out.insert(out.end(), std::find(parts.begin(), parts.end(), c) + 1, parts.end());
  }

  /// Whether something that uses `node` outside cluster c must run before c: then c cannot compute `node`.
  bool reaches(int node, int c) {
    // Beyond this many, assume the worst; less patiently once a huge graph has used up what planning may cost.
    const std::size_t most_visits = visits_ < 4000000 ? 4096 : 64;
    std::vector<Unit> pending;
    units_using(node, pending);
    std::erase(pending, c);
    std::unordered_set<Unit> seen;
    std::vector<Unit> next;
    while (!pending.empty()) {
      const Unit unit = pending.back();
      pending.pop_back();
      if (!seen.insert(unit).second) continue;
      ++visits_;
      if (seen.size() > most_visits) return true;
      next.clear();
      if (unit < 0) {
        units_using(~unit, next);
      } else {
        for (const KernelRoot& root : cluster(unit).roots) {
          units_using(root.target, next);
          parts_after(unit, root.target, next);
        }
      }
      for (const Unit u : next) {
        if (u == c) return true;
        pending.push_back(u);
      }
    }
    return false;
  }

  const PlanGraph& graph_;
  const Backend& backend_;
  const bool enabled_;
  std::vector<NodeKind> kinds_;
  std::vector<std::vector<Use>> uses_;   // by node, until it is placed
  std::vector<std::vector<int>> units_;  // by node: the clusters it is computed in
  std::vector<std::vector<int>> users_;
  std::size_t visits_ = 0;  // of reaches(), all calls together
  Fusion result_;
};

/// Where a full loop index finds its kept value: index 0 along the reduced axes.
IndexMap kept_map(int rank, std::uint64_t axes) {
  IndexMap map = identity_map(rank);
  for (int d = 0; d < rank; ++d)
    if (axes >> d & 1) map.axes[static_cast<std::size_t>(d)] = AffineView{};
  return map;
}

bool fusible(const PlanNode& node, const PlanGraph& graph, const Backend& backend) {
  std::vector<DType> types;
  for (const PlanValue& input : node.inputs) types.push_back(graph[input.node].dtype(input.output));
  types.push_back(node.dtype());
  return backend.can_fuse(node.op, types);
}

}  // namespace

NodeKind kind_of(const PlanNode& node, const PlanGraph& graph, const Backend& backend) {
  if (node.op == Op::Leaf) return NodeKind::leaf;
  const bool same_bytes =
      node.op == Op::Reshape || (node.op == Op::Barrier && node.inputs.size() == 1);
  if (same_bytes) return NodeKind::view;
  if (!fusible(node, graph, backend)) return NodeKind::primitive;
  if (is_view(node.op, node.inputs.size())) return NodeKind::view;
  switch (node.op) {
    case Op::Const:
    case Op::Scalar:
    case Op::Iota:
      return NodeKind::literal;
    case Op::Random:
      return NodeKind::elementwise;
    case Op::ReduceSum:
    case Op::ReduceMax:
      return NodeKind::reduction;
    case Op::Pad:
    case Op::Concat:
      return NodeKind::assembled;
    case Op::SliceUpdate:
      return node.inputs.size() == 2 ? NodeKind::assembled : NodeKind::primitive;
    default:
      return is_elementwise(node.op) ? NodeKind::elementwise : NodeKind::primitive;
  }
}

Fusion fuse(const PlanGraph& graph, const Backend& backend, bool enabled) {
  return Fuser(graph, backend, enabled).run();
}

}  // namespace genera
