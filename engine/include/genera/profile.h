/// Seeing inside: where time and memory go, what a plan does, and where a NaN came from.
#pragma once

#include <genera/export.h>
#include <genera/tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace genera {

/// One kind of plan step in one scope, summed over all runs since start_profile().
struct ProfileEntry {
  std::string scope;
  std::string label;
  std::uint64_t runs = 0;
  double seconds = 0;
  double flops = 0;  ///< per second it is flops / seconds
  double bytes = 0;  ///< read and written, each operand once
};

/// Starts recording every plan step (with a few tenths of a microsecond of cost per step); forgets what was recorded.
GENERA_API void start_profile();
/// Stops and returns the entries, the most expensive first.
GENERA_API std::vector<ProfileEntry> stop_profile();
/// The entries as an aligned table.
GENERA_API std::string format_profile(const std::vector<ProfileEntry>& entries);
/// What was recorded since start_profile(), as a Chrome trace (JSON for chrome://tracing or ui.perfetto.dev).
GENERA_API std::string profile_trace();

/// While on, evaluation checks every step's floating results and throws NumericError at the first NaN or infinity: it
/// names the scope, the operation and the first bad element.
GENERA_API void set_nan_check(bool on);

/// The graph behind `tensors` as text, one node per line, or in Graphviz's language.
GENERA_API std::string graph_text(const std::vector<Tensor>& tensors);
GENERA_API std::string graph_dot(const std::vector<Tensor>& tensors);
/// The plan that evaluating `tensors` would run: steps, buffers, memory, FLOP; as text or in Graphviz's language. Computes
/// nothing.
GENERA_API std::string plan_text(const std::vector<Tensor>& tensors);
GENERA_API std::string plan_dot(const std::vector<Tensor>& tensors);

}  // namespace genera
