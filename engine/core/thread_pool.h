/// The engine's one pool of worker threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace genera {

/// Number of threads that parallel_for uses, the calling thread included. At first the number of
/// processors that this process may run on.
int thread_count();

/// Sets the number of threads (1 to 256; ArgumentError otherwise). Results never depend on it.
void set_thread_count(int threads);

namespace detail {
using RangeFn = void (*)(const void* body, std::int64_t begin, std::int64_t end);
void parallel_for_ranges(std::int64_t tasks, RangeFn call, const void* body);
}  // namespace detail

/// Calls body(begin, end) on disjoint ranges that cover [0, tasks): one contiguous range per
/// thread, the calling thread taking the first (and those of workers that have not woken up when it
/// is done). Returns when all are done; then the exception of the lowest range that threw is
/// rethrown. A call from inside a body, or while another thread uses the pool, runs serially. What
/// body computes for one task must not depend on how tasks are grouped.
template <class Body>
void parallel_for(std::int64_t tasks, const Body& body) {
  if (tasks <= 0) return;
  if (tasks == 1) {
    body(std::int64_t{0}, std::int64_t{1});
    return;
  }
  detail::parallel_for_ranges(
      tasks,
      [](const void* opaque, std::int64_t begin, std::int64_t end) {
        (*static_cast<const Body*>(opaque))(begin, end);
      },
      std::addressof(body));
}

}  // namespace genera
