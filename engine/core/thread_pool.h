/// The engine's one pool of worker threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace genera {

/// Number of threads that parallel_for uses, the calling thread included. At first the number of
/// processors that this process may run on.
int thread_count();

/// Sets the number of threads (1 to 256; ArgumentError otherwise). Results never depend on it.
void set_thread_count(int threads);

/// How work is cut for threads of unequal speed, which other programs or cores of two kinds make:
/// equal parts would all wait for the slowest. Follows how long the threads took for parallel work
/// of late; speeds that differ by little count as equal, so that data stay with their thread.
class Shares {
 public:
  static constexpr int most_parts = 256;

  /// Of the first `parts` threads.
  explicit Shares(std::int64_t parts);
  std::int64_t parts() const { return parts_; }
  bool equal() const { return equal_; }
  /// The first of `units` equal pieces of work that part `part` gets; begin(units, parts()) ==
  /// units.
  std::int64_t begin(std::int64_t units, std::int64_t part) const;

 private:
  std::int64_t parts_;
  bool equal_ = true;
  std::array<float, most_parts + 1> begin_;  // as part of the whole
};

namespace detail {
using RangeFn = void (*)(const void* body, std::int64_t begin, std::int64_t end);
/// `units`: what the parts of `shares` do, one task each, is cut from so many pieces.
void parallel_for_ranges(std::int64_t tasks, RangeFn call, const void* body,
                         const Shares* shares = nullptr, std::int64_t units = 0);
}  // namespace detail

/// Calls body(begin, end) on disjoint ranges that cover [0, tasks), which take about equal time:
/// one contiguous range per thread by its share, the calling thread taking the first (and those of
/// workers that have not woken up when it is done). Returns when all are done; then the exception
/// of the lowest range that threw is rethrown. A call from inside a body, or while another thread
/// uses the pool, runs serially. What body computes for one task must not depend on how tasks are
/// grouped.
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

/// Calls body(part, begin, end) for each part of `shares`, on a thread of its own each, with the
/// pieces of work that it gets of `units`, which take about equal time. A part may get none.
/// Otherwise as parallel_for.
template <class Body>
void parallel_parts(const Shares& shares, std::int64_t units, const Body& body) {
  const auto run = [&](std::int64_t part) {
    body(part, shares.begin(units, part), shares.begin(units, part + 1));
  };
  if (shares.parts() == 1) return run(0);
  detail::parallel_for_ranges(
      shares.parts(),
      [](const void* opaque, std::int64_t begin, std::int64_t end) {
        for (; begin < end; ++begin) (*static_cast<const decltype(run)*>(opaque))(begin);
      },
      std::addressof(run), &shares, units);
}

}  // namespace genera
