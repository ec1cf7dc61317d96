/// Named figures of a run, and the file that they are kept in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace genera::zoo {

class Console;

struct Metric {
  std::string name;
  double value = 0;
};

/// In the order in which they are shown; by convention the first is "loss".
using Metrics = std::vector<Metric>;

/// The value of `name`; NaN when there is none.
double value_of(const Metrics& metrics, const std::string& name);

/// One line of metrics.jsonl.
struct MetricsLine {
  std::int64_t step = 0;
  std::string split;  ///< "train" or "validation"
  Metrics metrics;
};

/// metrics.jsonl: one JSON object per line. A line that cannot be written is kept and tried again
/// with the next.
class MetricsLog {
 public:
  /// Lines of an existing file up to `last_step` are kept (a resumed run writes the later ones
  /// again); what cannot be read of it is dropped.
  MetricsLog(std::filesystem::path file, std::int64_t last_step, Console& console);

  void add(MetricsLine line);
  /// Writes what is pending; false when that fails.
  bool flush();
  const std::vector<MetricsLine>& lines() const { return lines_; }

 private:
  std::filesystem::path file_;
  Console& console_;
  std::vector<MetricsLine> lines_;
  std::string pending_;
  std::int64_t written_bytes_ = 0;
};

}  // namespace genera::zoo
