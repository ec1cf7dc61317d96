#include "engine/plan/plan_cache.h"

#include <genera/stats.h>

#include "engine/core/scope.h"
#include "engine/core/storage.h"
#include "engine/core/thread_pool.h"
#include "engine/core/warning.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>

namespace genera {

std::size_t arena_bytes();  // evaluate.cpp

PlanCache& PlanCache::instance() {
  static auto* cache = new PlanCache;
  return *cache;
}

CachedPlan* PlanCache::find(const CanonicalGraph& graph) {
  const std::uint64_t hash = XXH3_64bits(graph.key.data(), graph.key.size());
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it)
    if (it->second->key == graph.key) {
      plans_.splice(plans_.begin(), plans_, it->second);
      ++reused_;
      return &plans_.front();
    }
  return nullptr;
}

CachedPlan& PlanCache::insert(const CanonicalGraph& graph, std::shared_ptr<const Plan> plan,
                              std::unique_ptr<Executable> executable) {
  explain_miss(graph);
  ++made_;
  plans_.push_front({graph.key, std::move(plan), std::move(executable)});
  by_hash_.emplace(XXH3_64bits(graph.key.data(), graph.key.size()), plans_.begin());
  bytes_ += cost(plans_.front());
  shrink();
  return plans_.front();
}

void PlanCache::clear() {
  by_hash_.clear();
  plans_.clear();
  bytes_ = 0;
}

void PlanCache::set_cap(std::size_t bytes) {
  cap_ = bytes;
  shrink();
}

void PlanCache::shrink() {
  while (bytes_ > cap_ && plans_.size() > 1) {
    const auto victim = std::prev(plans_.end());
    const auto [first, last] =
        by_hash_.equal_range(XXH3_64bits(victim->key.data(), victim->key.size()));
    for (auto it = first; it != last; ++it)
      if (it->second == victim) {
        by_hash_.erase(it);
        break;
      }
    bytes_ -= cost(*victim);
    plans_.erase(victim);
  }
}

std::size_t PlanCache::cost(const CachedPlan& cached) {
  std::size_t bytes = cached.key.size() + cached.plan->buffers.size() * sizeof(PlanBuffer);
  for (const PlanStep& step : cached.plan->steps)
    bytes += sizeof step + 2 * step.kernel.kernel.code.size() * sizeof(KernelInstr);
  if (cached.executable) bytes += cached.executable->bytes();
  return bytes;
}

void PlanCache::explain_miss(const CanonicalGraph& graph) {
  std::vector<NodeNote> notes;
  notes.reserve(graph.order.size());
  for (const Node* node : graph.order)
    notes.push_back(
        {node->evaluated() ? Op::Leaf : node->op(), node->dtype(), node->shape(), node->scope()});
  const auto text = [](const NodeNote& n) {
    const std::string scope = scope_name(n.scope);
    return fmt::format("{} {} {}{}", name(n.op), to_string(n.shape), name(n.dtype),
                       scope.empty() ? "" : " in " + scope);
  };
  why_missed_.clear();
  if (!latest_.empty()) {
    const std::size_t common = std::min(notes.size(), latest_.size());
    std::size_t i = 0;
    while (i < common && notes[i].op == latest_[i].op && notes[i].shape == latest_[i].shape &&
           notes[i].dtype == latest_[i].dtype)
      ++i;
    if (i < common)
      why_missed_ =
          fmt::format("node {} is {}, the plan before had {}", i, text(notes[i]), text(latest_[i]));
    else if (notes.size() != latest_.size())
      why_missed_ = fmt::format("the graph has {} nodes, the plan before had {}", notes.size(),
                                latest_.size());
    else
      why_missed_ =
          "same operations and shapes, but other attributes, connections, live handles or donated "
          "states";
  }
  latest_ = std::move(notes);
}

void warn_about_growth(const CanonicalGraph& graph) {
  constexpr std::size_t many = 250000;
  static bool warned = false;
  if (warned || graph.order.size() < many) return;
  warned = true;
  std::map<std::uint32_t, std::size_t> by_scope;
  for (const Node* node : graph.order) ++by_scope[node->scope()];
  const auto most =
      std::max_element(by_scope.begin(), by_scope.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::string scope = scope_name(most->first);
  warn(
      fmt::format("a graph of {} nodes is being evaluated, {} of them made in scope '{}': if it "
                  "grows with every step, evaluate or "
                  "detach() what you carry from step to step",
                  graph.order.size(), most->second, scope.empty() ? "(none)" : scope));
}

Stats stats() {
  Stats result;
  {
    std::lock_guard lock(graph_mutex());
    const PlanCache& cache = PlanCache::instance();
    result.plans_made = cache.made();
    result.plans_reused = cache.reused();
    result.nodes_recomputed = cache.recomputed();
    result.plan_cache_bytes = cache.bytes();
    result.arena_bytes = arena_bytes();
  }
  const StorageCounters memory = storage_counters();
  result.live_nodes = live_nodes();
  result.tensor_bytes = memory.live_bytes;
  result.cached_bytes = memory.cached_bytes;
  result.system_bytes = memory.mapped_bytes;
  result.system_requests = memory.system_calls;
  return result;
}

std::string why_plan_missed() {
  std::lock_guard lock(graph_mutex());
  return PlanCache::instance().why_missed();
}
void set_threads(int count) { set_thread_count(count); }
int threads() { return thread_count(); }
void set_memory_cap(std::size_t bytes) { set_storage_cap(bytes); }
void set_plan_cache_cap(std::size_t bytes) {
  std::lock_guard lock(graph_mutex());
  PlanCache::instance().set_cap(bytes);
}

}  // namespace genera
