#include "engine/plan/lower.h"

#include <algorithm>
#include <map>

namespace genera {
namespace {

/// Bytes that a buffer takes in the arena.
std::int64_t taken(std::int64_t bytes, const Backend::ArenaLayout& layout) {
  const std::int64_t wanted = std::max<std::int64_t>(bytes, 1) + layout.gap;
  return (wanted + layout.alignment - 1) / layout.alignment * layout.alignment;
}

/// From the first write to the last use, in steps.
struct Interval {
  int buffer;
  int first = -1;
  int last = -1;
  std::int64_t bytes = 0;
};

std::vector<Interval> arena_intervals(const Plan& plan, const Backend::ArenaLayout& layout) {
  std::vector<Interval> by_buffer(plan.buffers.size());
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    const StepAccess access = access_of(plan.steps[s]);
    const auto touch = [&](int b) {
      Interval& interval = by_buffer[static_cast<std::size_t>(b)];
      if (interval.first < 0) interval.first = static_cast<int>(s);
      interval.last = static_cast<int>(s);
    };
    for (const int b : access.writes) touch(b);
    for (const int b : access.reads) touch(b);
  }
  std::vector<Interval> result;
  for (std::size_t b = 0; b < by_buffer.size(); ++b) {
    const PlanBuffer& buffer = plan.buffers[b];
    if (buffer.place != PlanBuffer::Place::arena || by_buffer[b].first < 0) continue;
    by_buffer[b].buffer = static_cast<int>(b);
    by_buffer[b].bytes = taken(buffer.bytes, layout);
    result.push_back(by_buffer[b]);
  }
  return result;
}

std::int64_t most_alive(const std::vector<Interval>& intervals, std::size_t steps) {
  std::vector<std::int64_t> change(steps + 1, 0);
  for (const Interval& i : intervals) {
    change[static_cast<std::size_t>(i.first)] += i.bytes;
    change[static_cast<std::size_t>(i.last) + 1] -= i.bytes;
  }
  std::int64_t alive = 0, most = 0;
  for (const std::int64_t c : change) most = std::max(most, alive += c);
  return most;
}

/// Best fit over free ranges in time order: near-linear, for plans of many thousand buffers.
std::int64_t place_in_time(Plan& plan, std::vector<Interval>& intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::multimap<int, const Interval*> ending;
  std::map<std::int64_t, std::int64_t> free;  // offset -> bytes
  std::int64_t end = 0;
  const auto release = [&](std::int64_t offset, std::int64_t bytes) {
    auto next = free.lower_bound(offset);
    if (next != free.begin()) {
      auto previous = std::prev(next);
      if (previous->first + previous->second == offset) {
        offset = previous->first;
        bytes += previous->second;
        free.erase(previous);
      }
    }
    if (next != free.end() && next->first == offset + bytes) {
      bytes += next->second;
      free.erase(next);
    }
    free[offset] = bytes;
  };
  for (const Interval& i : intervals) {
    while (!ending.empty() && ending.begin()->first < i.first) {
      const Interval* done = ending.begin()->second;
      release(plan.buffers[static_cast<std::size_t>(done->buffer)].where, done->bytes);
      ending.erase(ending.begin());
    }
    auto best = free.end();
    for (auto range = free.begin(); range != free.end(); ++range)
      if (range->second >= i.bytes && (best == free.end() || range->second < best->second))
        best = range;
    std::int64_t offset = end;
    if (best != free.end()) {
      offset = best->first;
      const std::int64_t rest = best->second - i.bytes;
      free.erase(best);
      if (rest > 0) free[offset + i.bytes] = rest;
    } else {
      end += i.bytes;
    }
    plan.buffers[static_cast<std::size_t>(i.buffer)].where = offset;
    ending.emplace(i.last, &i);
  }
  return end;
}

/// Each, in the order given, at the lowest offset where nothing that lives at the same time lies. Returns the bytes that all take.
std::int64_t place_in_order(Plan& plan, const std::vector<Interval>& intervals) {
  std::vector<const Interval*> placed;  // by offset
  const auto offset_of = [&](const Interval* i) {
    return plan.buffers[static_cast<std::size_t>(i->buffer)].where;
  };
  std::int64_t end = 0;
  for (const Interval& i : intervals) {
    std::int64_t offset = 0;
    for (const Interval* other : placed) {
      if (other->last < i.first || i.last < other->first) continue;
      if (offset_of(other) >= offset + i.bytes) break;
      offset = std::max(offset, offset_of(other) + other->bytes);
    }
    plan.buffers[static_cast<std::size_t>(i.buffer)].where = offset;
    end = std::max(end, offset + i.bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), offset,
                         [&](std::int64_t at, const Interval* o) { return at < offset_of(o); }),
        &i);
  }
  return end;
}

/// Largest first; of the same size in the order of time, so that intervals of one size need no more room than the most that live at once. Where that leaves
/// holes, what ends last goes first, a few times over.
std::int64_t place_by_size(Plan& plan, std::vector<Interval>& intervals) {
  constexpr std::size_t quick = 500;
  constexpr int tries = 16;
  // The closest packing reuses memory soonest, which costs a device barriers.
  const std::int64_t enough = plan.arena_lower_bound + plan.arena_lower_bound / 10;
  std::stable_sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.first < b.first;
  });
  std::int64_t least = place_in_order(plan, intervals);
  std::vector<PlanBuffer> best = plan.buffers;
  for (int t = 0; t < tries && least > enough && intervals.size() <= quick; ++t) {
    const auto end_of = [&](const Interval& i) {
      return plan.buffers[static_cast<std::size_t>(i.buffer)].where + i.bytes;
    };
    const auto last =
        std::max_element(intervals.begin(), intervals.end(),
                         [&](const auto& a, const auto& b) { return end_of(a) < end_of(b); });
    std::rotate(intervals.begin(), last, last + 1);
    const std::int64_t bytes = place_in_order(plan, intervals);
    if (bytes >= least) continue;
    least = bytes;
    best = plan.buffers;
  }
  plan.buffers = std::move(best);
  return least;
}

}  // namespace

void place_buffers(Plan& plan, bool share, const Backend::ArenaLayout& layout) {
  std::vector<Interval> intervals = arena_intervals(plan, layout);
  plan.arena_lower_bound = most_alive(intervals, plan.steps.size());
  if (!share) {
    for (const Interval& i : intervals) {
      plan.buffers[static_cast<std::size_t>(i.buffer)].where = plan.arena_bytes;
      plan.arena_bytes += i.bytes;
    }
    return;
  }
  constexpr std::size_t few = 4000;  // placing by size compares every pair
  plan.arena_bytes =
      intervals.size() <= few ? place_by_size(plan, intervals) : place_in_time(plan, intervals);
}

}  // namespace genera
