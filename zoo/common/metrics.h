/// Named figures of a run, and the file that they are kept in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "zoo/common/appended_file.h"

namespace genera::zoo {

struct Metric {
  std::string name;
  double value = 0;
};

/// In the order in which they are shown.
using Metrics = std::vector<Metric>;

/// The value of `name`; NaN when there is none.
double value_of(const Metrics& metrics, const std::string& name);
bool contains(const Metrics& metrics, const std::string& name);

/// One line of metrics.jsonl.
struct MetricsLine {
  std::int64_t step = 0;
  std::string split;  ///< "train" or "validation"
  Metrics metrics;
};

/// The lines of a metrics.jsonl up to the first that cannot be read; of a file that is missing, none.
std::vector<MetricsLine> read_metrics(const std::filesystem::path& file);

/// metrics.jsonl: one JSON object per line.
class MetricsLog {
 public:
  /// Lines of an existing file up to `last_step` are kept (a resumed run writes the later ones
  /// again); what cannot be read of it is dropped.
  MetricsLog(const std::filesystem::path& file, std::int64_t last_step, Console& console);

  void add(MetricsLine line);
  /// Writes what is pending; false when that fails.
  bool flush() { return file_.flush(); }
  const std::vector<MetricsLine>& lines() const { return lines_; }

 private:
  std::vector<MetricsLine> lines_;
  AppendedFile file_;
};

}  // namespace genera::zoo
