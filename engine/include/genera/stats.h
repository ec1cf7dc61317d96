/// What the engine did: for users who ask where time and memory go, and for tests.
#pragma once

#include <genera/export.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace genera {

struct Stats {
  std::uint64_t plans_made = 0;
  std::uint64_t plans_reused = 0;
  /// graph nodes computed more than once over several evaluations
  std::uint64_t nodes_recomputed = 0;
  std::uint64_t plan_cache_bytes = 0;
  std::int64_t live_nodes = 0;        ///< graph nodes that exist now
  std::size_t tensor_bytes = 0;       ///< held by tensors now
  std::size_t cached_bytes = 0;       ///< kept for reuse
  std::size_t system_bytes = 0;       ///< taken from the system for tensors and arenas
  std::uint64_t system_requests = 0;  ///< how often memory was taken from the system
  std::size_t arena_bytes = 0;        ///< of the arena that intermediates live in
};
GENERA_API Stats stats();

/// Why the latest plan had to be made: the first difference to the plan made before it. Empty for the first plan.
GENERA_API std::string why_plan_missed();

/// Number of threads that computations use (1 to 256), at first the processors this process may run on. Results are the same,
/// bit for bit, for every number.
GENERA_API void set_threads(int threads);
GENERA_API int threads();

/// Most bytes of tensors and arenas to take from the system; 0: no limit. Beyond it operations throw MemoryError.
GENERA_API void set_memory_cap(std::size_t bytes);
/// Most bytes of remembered plans (default 256 MiB); the least recently used go first.
GENERA_API void set_plan_cache_cap(std::size_t bytes);

/// Receives the engine's rare warnings (a graph that keeps growing); the library itself never prints.
GENERA_API void set_warning_handler(std::function<void(std::string_view)> handler);

}  // namespace genera
