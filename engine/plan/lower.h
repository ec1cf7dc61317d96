/// From fused nodes to steps: writes each cluster out as a Kernel and each primitive as a step, with buffers for what is stored.
#pragma once

#include "engine/plan/fuse.h"
#include "engine/plan/plan.h"

namespace genera {

/// Fills plan.steps (in no particular order), plan.buffers (leaves and outputs placed, the rest in the arena without an
/// offset), plan.leaves, plan.scalars and plan.outputs.
void lower(const PlanGraph& graph, const Fusion& fusion, const Backend& backend, Plan& plan);

/// Buffers that a step reads and writes.
struct StepAccess {
  std::vector<int> reads;
  std::vector<int> writes;
};
StepAccess access_of(const PlanStep& step);
/// The same of all steps.
std::vector<StepAccess> accesses_of(const Plan& plan);

/// Whether a step may find bad data while it runs. Such steps come before any donated memory is
/// overwritten, so that an error leaves every state as it was.
bool may_fail(const PlanStep& step);

/// A donated leaf (its buffer) and the output buffer that may take its memory.
struct DonatedBuffer {
  int leaf_buffer;
  int output_buffer;
};

/// By step: the donated leaves whose memory it writes over.
std::vector<std::vector<int>> overwritten_leaves(const std::vector<StepAccess>& access,
                                                 const std::vector<DonatedBuffer>& donated);

/// Makes a kernel that alone reads a matrix product or convolution, element by element, its
/// epilogue, where the backend wants that and the kernel need not wait for a step that may fail.
void attach_epilogues(Plan& plan, const Backend& backend,
                      const std::vector<DonatedBuffer>& donated);

/// Puts the steps in an order that respects reads and writes, keeps values short-lived, and lets
/// donated memory be overwritten after its last reader.
void order_steps(Plan& plan, const std::vector<DonatedBuffer>& donated);

/// Gives each arena buffer its offset; sets arena_bytes and arena_lower_bound. `share` false: no two share memory.
void place_buffers(Plan& plan, bool share, const Backend::ArenaLayout& layout);

/// Whether output buffer `output` may be written over leaf buffer `leaf` in the plan's order.
bool may_overwrite(const Plan& plan, int leaf, int output);

}  // namespace genera
