/// Remembered plans, by canonical key.
#pragma once

#include "backends/backend.h"
#include "engine/plan/canonical.h"
#include "engine/plan/plan.h"

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace genera {

struct CachedPlan {
  std::string key;
  std::shared_ptr<const Plan> plan;
  std::unique_ptr<Executable> executable;
};

/// Bounded by bytes, least recently used first. Guarded by graph_mutex().
class PlanCache {
 public:
  static PlanCache& instance();

  /// The plan whose whole key equals the graph's, or null. Counts a reuse.
  CachedPlan* find(const CanonicalGraph& graph);
  CachedPlan& insert(const CanonicalGraph& graph, std::shared_ptr<const Plan> plan,
                     std::unique_ptr<Executable> executable);
  void clear();
  void set_cap(std::size_t bytes);
  /// All that are remembered, the latest used first.
  const std::list<CachedPlan>& plans() const { return plans_; }
  void add_recomputed(std::uint64_t nodes) { recomputed_ += nodes; }

  std::uint64_t made() const { return made_; }
  std::uint64_t reused() const { return reused_; }
  std::uint64_t recomputed() const { return recomputed_; }
  std::size_t bytes() const { return bytes_; }
  const std::string& why_missed() const { return why_missed_; }

 private:
  struct NodeNote {  // enough of a node to say what changed
    Op op;
    DType dtype;
    Shape shape;
    std::uint32_t scope;
  };
  void explain_miss(const CanonicalGraph& graph);
  void shrink();
  static std::size_t cost(const CachedPlan& cached);

  std::list<CachedPlan> plans_;  // latest use first
  std::unordered_multimap<std::uint64_t, std::list<CachedPlan>::iterator> by_hash_;
  std::vector<NodeNote> latest_;
  std::size_t bytes_ = 0;
  std::size_t cap_ = std::size_t{256} << 20;
  std::uint64_t made_ = 0, reused_ = 0, recomputed_ = 0;
  std::string why_missed_;
};

/// One warning, once per process, when a graph has grown past what a training step plausibly needs.
void warn_about_growth(const CanonicalGraph& graph);

}  // namespace genera
