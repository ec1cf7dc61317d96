#include "engine/plan/lower.h"

#include <genera/error.h>

#include <algorithm>
#include <queue>
#include <set>

namespace genera {
namespace {

/// Which steps must come before which.
struct Precedence {
  std::vector<std::vector<int>> after;  ///< by step: the steps that wait for it
  std::vector<int> waiting;             ///< by step: how many it waits for
  void add(int first, int then) {
    if (first == then) return;
    after[static_cast<std::size_t>(first)].push_back(then);
    ++waiting[static_cast<std::size_t>(then)];
  }
};

Precedence hard_precedence(const Plan& plan, const std::vector<StepAccess>& access) {
  Precedence result;
  result.after.resize(plan.steps.size());
  result.waiting.assign(plan.steps.size(), 0);
  std::vector<std::vector<int>> writers(plan.buffers.size());
  for (std::size_t s = 0; s < access.size(); ++s)
    for (const int b : access[s].writes) {
      auto& list = writers[static_cast<std::size_t>(b)];
      // parts of one tensor, in their order
      if (!list.empty()) result.add(list.back(), static_cast<int>(s));
      list.push_back(static_cast<int>(s));
    }
  for (std::size_t s = 0; s < access.size(); ++s)
    for (const int b : access[s].reads)
      for (const int writer : writers[static_cast<std::size_t>(b)])
        result.add(writer, static_cast<int>(s));
  return result;
}

/// Whether a step that reads `leaf` may have it as the memory of its own output.
bool runs_in_place(const PlanStep& step, int leaf, int output) {
  if (step.kind == PlanStep::Kind::primitive) {
    // A block written into a tensor whose other elements stay: nothing else may be read from it.
    const std::vector<PlanOperand>& inputs = step.primitive.inputs;
    return step.primitive.op == Op::SliceUpdate && inputs[0].buffer == leaf &&
           std::none_of(inputs.begin() + 1, inputs.end(),
                        [&](const PlanOperand& input) { return input.buffer == leaf; });
  }
  // Only element by element: the same view for every load and the store.
  for (const PlanOperand& operand : step.primitive.inputs)
    if (operand.buffer == leaf) return false;
  const Kernel& kernel = step.kernel.kernel;
  if (std::count(kernel.reduced.begin(), kernel.reduced.end(), true) > 0) return false;
  for (const KernelStore& store : kernel.stores) {
    if (step.kernel.buffers[static_cast<std::size_t>(store.buffer)] != output) continue;
    for (const KernelInstr& instr : kernel.code)
      if (instr.op == KernelOp::Load &&
          step.kernel.buffers[static_cast<std::size_t>(instr.imm)] == leaf &&
          (instr.view.offset != store.view.offset || instr.view.stride != store.view.stride))
        return false;
  }
  return true;
}

}  // namespace

std::vector<StepAccess> accesses_of(const Plan& plan) {
  std::vector<StepAccess> accesses;
  for (const PlanStep& step : plan.steps) accesses.push_back(access_of(step));
  return accesses;
}

bool may_fail(const PlanStep& step) {
  return step.kind != PlanStep::Kind::kernel &&
         (step.primitive.op == Op::Gather || step.primitive.op == Op::ScatterAdd);
}

std::vector<std::vector<int>> overwritten_leaves(const std::vector<StepAccess>& access,
                                                 const std::vector<DonatedBuffer>& donated) {
  std::vector<std::vector<int>> leaves(access.size());
  for (const DonatedBuffer& d : donated)
    for (std::size_t s = 0; s < access.size(); ++s)
      if (std::count(access[s].writes.begin(), access[s].writes.end(), d.output_buffer) > 0)
        leaves[s].push_back(d.leaf_buffer);
  return leaves;
}

void order_steps(Plan& plan, const std::vector<DonatedBuffer>& donated) {
  const std::vector<StepAccess> access = accesses_of(plan);
  Precedence precedence = hard_precedence(plan, access);

  // A step that writes over donated memory waits for the memory's readers, unless nothing else can run.
  std::vector<int> readers_left(plan.buffers.size(), 0);
  for (const StepAccess& a : access)
    for (const int b : std::set<int>(a.reads.begin(), a.reads.end()))
      ++readers_left[static_cast<std::size_t>(b)];
  const std::vector<std::vector<int>> overwrites = overwritten_leaves(access, donated);
  auto fallible_left = std::count_if(plan.steps.begin(), plan.steps.end(), may_fail);
  const auto must_wait = [&](int s) {
    if (!overwrites[static_cast<std::size_t>(s)].empty() && fallible_left > 0) return true;
    for (const int leaf : overwrites[static_cast<std::size_t>(s)]) {
      const auto& reads = access[static_cast<std::size_t>(s)].reads;
      const int own = std::count(reads.begin(), reads.end(), leaf) > 0 ? 1 : 0;
      if (readers_left[static_cast<std::size_t>(leaf)] > own) return true;
    }
    return false;
  };

  std::vector<int> order;
  std::set<int> ready, delayed;
  for (int s = 0; s < static_cast<int>(plan.steps.size()); ++s)
    if (precedence.waiting[static_cast<std::size_t>(s)] == 0) ready.insert(s);
  while (!ready.empty() || !delayed.empty()) {
    int s;
    if (!ready.empty()) {
      s = *ready.begin();
      ready.erase(ready.begin());
      if (must_wait(s)) {
        delayed.insert(s);
        continue;
      }
    } else {
      s = *delayed.begin();
      delayed.erase(delayed.begin());
    }
    order.push_back(s);
    if (may_fail(plan.steps[static_cast<std::size_t>(s)])) --fallible_left;
    const auto& a = access[static_cast<std::size_t>(s)];
    for (const int b : std::set<int>(a.reads.begin(), a.reads.end()))
      --readers_left[static_cast<std::size_t>(b)];
    for (const int next : precedence.after[static_cast<std::size_t>(s)])
      if (--precedence.waiting[static_cast<std::size_t>(next)] == 0) ready.insert(next);
    for (auto it = delayed.begin(); it != delayed.end();) {
      if (must_wait(*it)) {
        ++it;
      } else {
        ready.insert(*it);
        it = delayed.erase(it);
      }
    }
  }
  if (order.size() != plan.steps.size())
    throw Error("[plan] steps wait for each other in a circle");
  std::vector<PlanStep> steps;
  steps.reserve(order.size());
  for (const int s : order) steps.push_back(std::move(plan.steps[static_cast<std::size_t>(s)]));
  plan.steps = std::move(steps);
}

bool may_overwrite(const Plan& plan, int leaf, int output) {
  bool written = false;
  for (const PlanStep& step : plan.steps) {
    const StepAccess access = access_of(step);
    const bool reads = std::count(access.reads.begin(), access.reads.end(), leaf) > 0;
    const bool writes = std::count(access.writes.begin(), access.writes.end(), output) > 0;
    if ((reads || may_fail(step)) && written) return false;
    if (reads && writes && !runs_in_place(step, leaf, output)) return false;
    written = written || writes;
  }
  return true;
}

}  // namespace genera
