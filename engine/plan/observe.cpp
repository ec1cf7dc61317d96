#include "engine/plan/observe.h"

#include <genera/error.h>
#include <genera/profile.h>

#include "engine/core/scope.h"
#include "engine/graph/node.h"
#include "engine/plan/lower.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>

namespace genera {
namespace {

using Clock = std::chrono::steady_clock;

struct Event {
  std::uint32_t scope;
  std::string label;
  double start, seconds;  // since the profile's start
  double flops, bytes;
  std::string shapes;
};

/// What the profiler has recorded. Guarded by graph_mutex().
struct Recording {
  bool on = false;
  Clock::time_point start;
  Clock::time_point step_start;
  std::map<std::pair<std::uint32_t, std::string>, ProfileEntry> entries;
  std::vector<Event> events;
};
Recording& recording() {
  static auto* it = new Recording;
  return *it;
}
bool nan_check = false;

/// What a step reads and writes: "(12,64,128) (128) -> (12,64,128)".
std::string shapes_of(const Plan& plan, const PlanStep& step) {
  const StepAccess access = access_of(step);
  std::string text;
  for (const int b : access.reads)
    text += to_string(plan.buffers[static_cast<std::size_t>(b)].shape) + " ";
  text += "->";
  for (const int b : access.writes)
    text.append(" ").append(to_string(plan.buffers[static_cast<std::size_t>(b)].shape));
  return text;
}

void record(const Plan& plan, const PlanStep& step) {
  Recording& r = recording();
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - r.step_start).count();
  ProfileEntry& entry = r.entries[{step.scope, step.label}];
  entry.runs += 1;
  entry.seconds += seconds;
  entry.flops += static_cast<double>(step.flops);
  entry.bytes += static_cast<double>(step.bytes);
  constexpr std::size_t most_events = 1000000;
  if (r.events.size() < most_events)
    r.events.push_back({step.scope, step.label,
                        std::chrono::duration<double>(r.step_start - r.start).count(), seconds,
                        static_cast<double>(step.flops), static_cast<double>(step.bytes),
                        shapes_of(plan, step)});
}

template <class T>
std::int64_t first_bad(const void* data, std::int64_t count) {
  const T* values = static_cast<const T*>(data);
  for (std::int64_t i = 0; i < count; ++i)
    if (!std::isfinite(static_cast<double>(values[i]))) return i;
  return -1;
}

void check_finite(const Plan& plan, const PlanStep& step, std::span<void* const> addresses,
                  DeviceMemory* memory) {
  std::vector<std::byte> copy;
  const bool has_epilogue = step.kind == PlanStep::Kind::epilogue;
  for (const int b : access_of(step).writes) {
    // A product that only its epilogue needs may never go to its buffer.
    if (has_epilogue && b == step.primitive.outputs[0].buffer) continue;
    const PlanBuffer& buffer = plan.buffers[static_cast<std::size_t>(b)];
    const void* data = addresses[static_cast<std::size_t>(b)];
    if (memory) {
      copy.resize(static_cast<std::size_t>(buffer.bytes));
      memory->download(copy.data(), data, copy.size());
      data = copy.data();
    }
    const std::int64_t count = buffer.shape.elements();
    const std::int64_t bad = buffer.dtype == DType::f32   ? first_bad<float>(data, count)
                             : buffer.dtype == DType::f64 ? first_bad<double>(data, count)
                                                          : -1;
    if (bad < 0) continue;
    const double value = buffer.dtype == DType::f32
                             ? static_cast<double>(static_cast<const float*>(data)[bad])
                             : static_cast<const double*>(data)[bad];
    const std::string scope = scope_name(step.scope);
    throw NumericError(fmt::format("[nan check] {} in scope '{}' gave {} at element {} of {}",
                                   step.label, scope.empty() ? "(none)" : scope, value, bad,
                                   to_string(buffer.shape)));
  }
}

}  // namespace

Executable::StepHook observe_hook(const Plan& plan, std::span<void* const> addresses,
                                  DeviceMemory* memory) {
  if (!recording().on && !nan_check) return {};
  return [&plan, addresses, memory](int number, bool done) {
    const PlanStep& step = plan.steps[static_cast<std::size_t>(number)];
    if (!done) {
      recording().step_start = Clock::now();
      return;
    }
    if (recording().on) record(plan, step);
    if (nan_check) check_finite(plan, step, addresses, memory);
  };
}

void start_profile() {
  std::lock_guard lock(graph_mutex());
  recording() = {};
  recording().on = true;
  recording().start = Clock::now();
}

std::vector<ProfileEntry> stop_profile() {
  std::lock_guard lock(graph_mutex());
  recording().on = false;
  std::vector<ProfileEntry> result;
  for (const auto& [key, entry] : recording().entries) {
    result.push_back(entry);
    result.back().scope = scope_name(key.first);
    result.back().label = key.second;
  }
  std::sort(result.begin(), result.end(),
            [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  return result;
}

std::string format_profile(const std::vector<ProfileEntry>& entries) {
  double total = 0;
  for (const ProfileEntry& e : entries) total += e.seconds;
  std::string text = fmt::format("{:>7} {:>10} {:>7} {:>8} {:>8}  {}\n", "share", "ms", "runs",
                                 "GFLOP/s", "GB/s", "what");
  for (const ProfileEntry& e : entries)
    text += fmt::format("{:>6.1f}% {:>10.3f} {:>7} {:>8.1f} {:>8.1f}  {}{}\n",
                        total > 0 ? 100 * e.seconds / total : 0, 1e3 * e.seconds, e.runs,
                        e.seconds > 0 ? e.flops / e.seconds * 1e-9 : 0,
                        e.seconds > 0 ? e.bytes / e.seconds * 1e-9 : 0,
                        e.scope.empty() ? "" : e.scope + ": ", e.label);
  return text;
}

std::string profile_trace() {
  std::lock_guard lock(graph_mutex());
  std::string text = "{\"traceEvents\":[";
  bool first = true;
  for (const Event& e : recording().events) {
    text += fmt::format(
        "{}\n{{\"name\":\"{}\",\"cat\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.3f},"
        "\"dur\":{:.3f},\"args\":{{\"flop\":{:.0f},\"bytes\":{:.0f},\"shapes\":\"{}\"}}}}",
        first ? "" : ",", e.label, scope_name(e.scope), 1e6 * e.start, 1e6 * e.seconds, e.flops,
        e.bytes, e.shapes);
    first = false;
  }
  return text + "\n]}\n";
}

void set_nan_check(bool on) {
  std::lock_guard lock(graph_mutex());
  nan_check = on;
}

}  // namespace genera
