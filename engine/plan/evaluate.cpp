#include "engine/plan/evaluate.h"

#include <genera/error.h>
#include <genera/state.h>

#include "backends/backend.h"
#include "engine/core/floating_point_mode.h"
#include "engine/core/scope.h"
#include "engine/graph/attributes.h"
#include "engine/graph/build.h"
#include "engine/plan/canonical.h"
#include "engine/plan/make_plan.h"
#include "engine/plan/observe.h"
#include "engine/plan/plan_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

namespace genera {
namespace {

bool eager = false;
PlanOptions options;

std::uint8_t option_bits() {
  return static_cast<std::uint8_t>((options.fuse ? 1 : 0) | (options.plan_memory ? 2 : 0) |
                                   (backend_number(current_backend()) << 2));
}

/// The memory that intermediates live in: as large as the largest plan so far, never given back.
class Arena {
 public:
  /// The arena in `memory` (null: the host's).
  static Arena& of(DeviceMemory* memory) {
    static auto* arenas = new std::map<DeviceMemory*, Arena>;
    Arena& arena = (*arenas)[memory];
    arena.memory_ = memory;
    return arena;
  }
  std::byte* reserve(std::int64_t bytes) {
    const auto wanted = static_cast<std::size_t>(bytes);
    if (wanted > bytes_) {
      if (data_) give_back();
      data_ = nullptr;
      bytes_ = 0;
      data_ = static_cast<std::byte*>(memory_ ? memory_->allocate(wanted) : map_memory(wanted));
      bytes_ = wanted;
    }
    return data_;
  }
  void poison(std::int64_t bytes) {
    const auto count = static_cast<std::size_t>(bytes);
    if (memory_)
      memory_->fill(data_, 0xffffffffu, count / 4 * 4);
    else
      std::memset(data_, 0xff, count);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  void give_back() {
    if (memory_)
      memory_->release(data_);
    else
      unmap_memory(data_, bytes_);
  }

  DeviceMemory* memory_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Everything a run needs that is kept between runs so that a warm step allocates nothing.
struct Binding {
  CanonicalGraph graph;
  std::vector<void*> addresses;
  std::vector<ScalarBinding> scalars;
  std::vector<StorageRef> outputs;
};
Binding& binding() {
  static auto* it = new Binding;
  return *it;
}

CachedPlan& planned(const CanonicalGraph& graph) {
  PlanCache& cache = PlanCache::instance();
  if (CachedPlan* found = cache.find(graph)) return *found;
  warn_about_growth(graph);
  Backend& backend = current_backend();
  std::shared_ptr<const Plan> plan = make_plan(graph, backend, options);
  std::unique_ptr<Executable> executable = backend.compile(plan);
  return cache.insert(graph, std::move(plan), std::move(executable));
}

void bind_scalars(const Plan& plan, Binding& b) {
  b.scalars.resize(plan.scalars.size());
  for (std::size_t i = 0; i < plan.scalars.size(); ++i) {
    HostScalar number;
    std::memcpy(&number, b.graph.order[static_cast<std::size_t>(plan.scalars[i])]->attr_data(),
                sizeof number);
    b.scalars[i] = {number.floating, number.integer};
  }
}

/// Leaves move to the memory of the backend that reads them, and stay there.
void move_leaves(const Plan& plan, const Binding& b, DeviceMemory* memory) {
  for (const Plan::Leaf& leaf : plan.leaves) {
    Node* node = b.graph.order[static_cast<std::size_t>(leaf.node)];
    const StorageRef& value = node->value_ref(leaf.output);
    if (value && value->memory() != memory) node->set_value(leaf.output, in_memory(value, memory));
  }
}

/// Whether the leaf's numbers are all in [low, high], as far as the host can tell without waiting.
bool lies_within(const StorageRef& value, std::int64_t count, std::int32_t low, std::int32_t high) {
  if (count == 0) return true;
  if (!value->integer_range && !value->memory()) {
    const auto* numbers = static_cast<const std::int32_t*>(value->data());
    const auto [least, largest] = std::minmax_element(numbers, numbers + count);
    value->integer_range.emplace(*least, *largest);
  }
  return value->integer_range && value->integer_range->first >= low &&
         value->integer_range->second <= high;
}

/// Before the leaves move to where the host cannot look at them.
bool indices_are_good(const Plan& plan, const Binding& b) {
  if (!plan.index_needs) return false;
  for (const Plan::IndexNeeds::Scalar& need : plan.index_needs->scalars) {
    const ScalarBinding& now = b.scalars[static_cast<std::size_t>(need.scalar)];
    if (now.floating != need.floating || now.integer != need.integer) return false;
  }
  for (const Plan::IndexNeeds::Leaf& need : plan.index_needs->leaves) {
    const Plan::Leaf& leaf = plan.leaves[static_cast<std::size_t>(need.leaf)];
    const Node* node = b.graph.order[static_cast<std::size_t>(leaf.node)];
    if (!lies_within(node->value_ref(leaf.output), node->shape(leaf.output).elements(), need.low,
                     need.high))
      return false;
  }
  return true;
}

void bind_buffers(const Plan& plan, Binding& b, DeviceMemory* device) {
  const auto leaf = [&](std::int64_t number) -> const StorageRef& {
    const Plan::Leaf& at = plan.leaves[static_cast<std::size_t>(number)];
    return b.graph.order[static_cast<std::size_t>(at.node)]->value_ref(at.output);
  };
  move_leaves(plan, b, device);
  b.outputs.clear();
  for (const Plan::OutputMemory& memory : plan.output_memory)
    if (memory.donor >= 0) leaf(memory.donor)->integer_range.reset();
  for (const Plan::OutputMemory& memory : plan.output_memory)
    b.outputs.push_back(memory.donor >= 0 ? leaf(memory.donor)
                                          : StorageRef(Storage::allocate_in(
                                                device, static_cast<std::size_t>(memory.bytes))));
  std::byte* arena = Arena::of(device).reserve(plan.arena_bytes);
  if (options.poison && plan.arena_bytes > 0) Arena::of(device).poison(plan.arena_bytes);
  b.addresses.resize(plan.buffers.size());
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const PlanBuffer& buffer = plan.buffers[i];
    switch (buffer.place) {
      case PlanBuffer::Place::leaf:
        b.addresses[i] = leaf(buffer.where)->data();
        break;
      case PlanBuffer::Place::output:
        b.addresses[i] = b.outputs[static_cast<std::size_t>(buffer.where)]->data();
        break;
      case PlanBuffer::Place::arena:
        b.addresses[i] = arena + buffer.where;
        break;
    }
  }
}

void publish(const Plan& plan, Binding& b) {
  for (const Plan::Output& output : plan.outputs) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(output.buffer)];
    Node* node = b.graph.order[static_cast<std::size_t>(output.node)];
    if (buffer.place == PlanBuffer::Place::leaf) {
      const Plan::Leaf& leaf = plan.leaves[static_cast<std::size_t>(buffer.where)];
      node->set_value(output.output,
                      b.graph.order[static_cast<std::size_t>(leaf.node)]->value_ref(leaf.output));
    } else {
      node->set_value(output.output, b.outputs[static_cast<std::size_t>(buffer.where)]);
    }
  }
  b.outputs.clear();
}

void count_recomputed(const CanonicalGraph& graph) {
  std::uint64_t again = 0;
  for (Node* node : graph.order) {
    if (node->evaluated() || info(node->op()).op_class == OpClass::Create) continue;
    again += node->computed_once ? 1 : 0;
    node->computed_once = true;
  }
  PlanCache::instance().add_recomputed(again);
}

/// With graph_mutex() held. Roots that have their values already are fine.
void run(std::span<const Value> roots, std::span<const Donation> donations) {
  Binding& b = binding();
  canonicalize(roots, donations, option_bits(), b.graph);
  CachedPlan& cached = planned(b.graph);
  count_recomputed(b.graph);
  bind_scalars(*cached.plan, b);
  DeviceMemory* memory = current_backend().memory();
  if (memory) cached.executable->trust_indices(indices_are_good(*cached.plan, b));
  try {
    bind_buffers(*cached.plan, b, memory);
    const FlushSubnormals flush;
    cached.executable->run(b.addresses, b.scalars, observe_hook(*cached.plan, b.addresses, memory));
  } catch (...) {
    b.outputs.clear();
    throw;
  }
  publish(*cached.plan, b);
  for (const Donation& donation : b.graph.donations) {
    donation.leaf->set_value(0, StorageRef());
    donation.leaf->consumed = true;
  }
  b.graph.order.clear();
}

bool may_donate(const State& state, const Tensor& value) {
  const Node* leaf = state.value().node();
  return leaf->op() == Op::Leaf && leaf->handles() == 1 && leaf->value() &&
         leaf->value_ref(0).unique() && value.node() != leaf && !value.node()->evaluated();
}

void check_update(const Update& update) {
  if (!update.state) fail("commit", "got an update of an empty State");
  check_tensor("commit", update.value);
  if (!(update.value.shape() == update.state.shape()) ||
      update.value.dtype() != update.state.value().dtype())
    fail("commit", fmt::format("state '{}' is {}, its new value is {}", update.state.name(),
                               describe(update.state.value()), describe(update.value)));
}

void check_updates(std::span<const Update> updates) {
  std::vector<std::pair<const Tensor*, const Update*>> cells;  // a cell is where its tensor lies
  for (const Update& update : updates) {
    check_update(update);
    cells.push_back({&update.state.value(), &update});
  }
  std::sort(cells.begin(), cells.end());
  const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
  const auto twice = std::adjacent_find(cells.begin(), cells.end(), same);
  if (twice != cells.end())
    fail("commit",
         fmt::format("state '{}' is updated twice in one step", twice->second->state.name()));
}

}  // namespace

void evaluate(std::span<const Value> roots) {
  std::lock_guard lock(graph_mutex());
  const auto done = [](const Value& root) { return root.node->evaluated(); };
  if (std::all_of(roots.begin(), roots.end(), done)) return;
  run(roots, {});
}

StorageRef evaluated_storage(const Tensor& x) {
  check_tensor("eval", x);
  std::lock_guard lock(graph_mutex());
  Node* node = x.node();
  if (!node->evaluated()) {
    const Value root{node, x.output()};
    run({&root, 1}, {});
  }
  return in_memory(node->value_ref(x.output()), nullptr);
}

Tensor leaf_node(StorageRef value, DType dtype, const Shape& shape) {
  Node* node = Node::create(Op::Leaf, {}, dtype, shape, {});
  node->set_value(0, std::move(value));
  return Tensor(node);
}

void commit(std::vector<Update> updates, std::vector<Tensor> also) {
  check_updates(updates);
  std::vector<Tensor> fresh;  // the states' new leaves
  {
    std::lock_guard lock(graph_mutex());
    std::vector<Value> roots;
    std::vector<Donation> donations;
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const Tensor& value = updates[i].value;
      roots.push_back({value.node(), value.output()});
      if (may_donate(updates[i].state, value))
        donations.push_back({updates[i].state.value().node(), static_cast<int>(i)});
    }
    for (const Tensor& tensor : also) {
      check_tensor("commit", tensor);
      roots.push_back({tensor.node(), tensor.output()});
    }
    run(roots, donations);
    for (const Update& update : updates)
      fresh.push_back(leaf_node(update.value.node()->value_ref(update.value.output()),
                                update.value.dtype(), update.value.shape()));
  }
  for (std::size_t i = 0; i < updates.size(); ++i) {
    updates[i].state.set(std::move(fresh[i]));
  }
}

bool eager_mode() { return eager; }
void set_eager_mode(bool on) { eager = on; }
PlanOptions plan_options() { return options; }
void set_plan_options(PlanOptions wanted) {
  std::lock_guard lock(graph_mutex());
  options = wanted;
}

std::size_t arena_bytes() { return Arena::of(current_backend().memory()).bytes(); }

}  // namespace genera
