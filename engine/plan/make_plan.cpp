#include "engine/plan/make_plan.h"

#include "engine/plan/fuse.h"
#include "engine/plan/index_needs.h"
#include "engine/plan/lower.h"
#include "engine/plan/plan_graph.h"

#include <algorithm>

namespace genera {
namespace {

/// Donations as buffers: the leaf's and that of the root which may take its memory over.
std::vector<DonatedBuffer> donated_buffers(const CanonicalGraph& graph, const Plan& plan) {
  std::vector<DonatedBuffer> result;
  const auto buffer_of = [&](const Node* node) {
    for (std::size_t b = 0; b < plan.buffers.size(); ++b)
      if (plan.buffers[b].place == PlanBuffer::Place::leaf &&
          plan.leaves[static_cast<std::size_t>(plan.buffers[b].where)].node ==
              static_cast<int>(node->index))
        return static_cast<int>(b);
    return -1;
  };
  for (const Donation& donation : graph.donations) {
    const Value root = graph.roots[static_cast<std::size_t>(donation.root)];
    const int leaf = buffer_of(donation.leaf);
    if (leaf < 0) continue;
    for (const Plan::Output& output : plan.outputs)
      if (output.node == static_cast<int>(root.node->index) && output.output == root.output)
        result.push_back({leaf, output.buffer});
  }
  return result;
}

/// Every buffer that holds a result becomes output memory, unless it is a leaf already.
void place_outputs(Plan& plan) {
  for (const Plan::Output& output : plan.outputs) {
    PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(output.buffer)];
    if (buffer.place != PlanBuffer::Place::arena) continue;
    buffer.place = PlanBuffer::Place::output;
    buffer.where = static_cast<std::int64_t>(plan.output_memory.size());
    plan.output_memory.push_back({buffer.bytes, -1});
  }
}

void assign_donors(Plan& plan, const std::vector<DonatedBuffer>& donated) {
  std::vector<bool> taken(plan.leaves.size(), false);
  // a leaf that is itself a result keeps its memory
  for (const Plan::Output& output : plan.outputs) {
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(output.buffer)];
    if (buffer.place == PlanBuffer::Place::leaf)
      taken[static_cast<std::size_t>(buffer.where)] = true;
  }
  for (const DonatedBuffer& d : donated) {
    const PlanBuffer& leaf = plan.buffers[static_cast<std::size_t>(d.leaf_buffer)];
    const PlanBuffer& output = plan.buffers[static_cast<std::size_t>(d.output_buffer)];
    if (output.place != PlanBuffer::Place::output || taken[static_cast<std::size_t>(leaf.where)])
      continue;
    Plan::OutputMemory& memory = plan.output_memory[static_cast<std::size_t>(output.where)];
    if (memory.donor >= 0 || leaf.bytes != output.bytes) continue;
    if (!may_overwrite(plan, d.leaf_buffer, d.output_buffer)) continue;
    memory.donor = static_cast<int>(leaf.where);
    taken[static_cast<std::size_t>(leaf.where)] = true;
  }
}

}  // namespace

std::shared_ptr<const Plan> make_plan(const CanonicalGraph& canonical, const Backend& backend,
                                      const PlanOptions& options) {
  auto plan = std::make_shared<Plan>();
  plan->graph_nodes = static_cast<int>(canonical.order.size());
  const PlanGraph graph = simplify(import_graph(canonical), options.fuse);
  const Fusion fusion = fuse(graph, backend, options.fuse);
  lower(graph, fusion, backend, *plan);
  plan->index_needs = index_needs(graph, canonical, *plan);
  place_outputs(*plan);
  const std::vector<DonatedBuffer> donated = donated_buffers(canonical, *plan);
  if (options.fuse) attach_epilogues(*plan, backend, donated);
  order_steps(*plan, donated);
  assign_donors(*plan, donated);
  place_buffers(*plan, options.plan_memory, backend.arena_layout());
  return plan;
}

}  // namespace genera
