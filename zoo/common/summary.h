/// The final figures of a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace genera::zoo {

class RunFolder;

/// A figure on the test set.
struct Figure {
  std::string name;  ///< elbo, iwae, bits_per_dim, ... (the names are the same for all programs)
  double value = 0;
  double standard_error = 0;
  std::string unit;      ///< "nats", "bits"
  std::string protocol;  ///< how it was measured, in words
};

struct Summary {
  std::vector<Figure> figures;
  double seconds = 0;  ///< of training
  std::int64_t steps = 0;
  std::int64_t parameters = 0;
};

/// The mean of `values`, accumulated in f64 in the order given.
double mean_of(const std::vector<double>& values);

/// The mean of `values` and its standard error, accumulated in f64 in the order given.
Figure mean_figure(const std::string& name, const std::vector<double>& values,
                   const std::string& unit, const std::string& protocol);

/// One JSON object: {"elbo": {"value", "standard_error", "unit", "protocol"}, ..., "seconds",
/// "steps", "parameters"}.
std::string to_json(const Summary& summary);
/// Reads summary.json; of a file that is missing or damaged, an empty summary.
Summary read_summary(const std::filesystem::path& path);
/// One line per figure, for people. Those of references (`train.frechet`) are left out: the programs
/// that have such show them side by side.
std::string to_text(const Summary& summary);

/// Writes a record of a run for zoo/results: what was run, from which source, on which kind of
/// machine, and the figures; no path and no host name. DiskError.
void write_record(const std::filesystem::path& path, const RunFolder& run, const Summary& summary);

}  // namespace genera::zoo
