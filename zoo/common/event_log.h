/// The run as TensorBoard shows it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "zoo/common/appended_file.h"
#include "zoo/common/metrics.h"

namespace genera::zoo {

/// Whether this build writes TensorBoard's files; where not, an EventLog does nothing.
bool has_event_log();

/// A TensorBoard event file: a sequence of records (TensorFlow's TFRecord framing: length, masked
/// CRC-32C of the length, data, masked CRC-32C of the data), each a protocol-buffer message Event.
class EventLog {
 public:
  /// Events of an existing file up to `last_step` are kept (a resumed run writes the later ones
  /// again), up to the first that is damaged.
  EventLog(const std::filesystem::path& file, std::int64_t last_step, Console& console);

  /// Each figure as the scalar <name>/<split>: TensorBoard shows the splits of a name side by side.
  /// "seconds" is left out, every event has its time anyway.
  void add(const MetricsLine& line);
  /// The file at `path` as the sample of a step: a PNG as image, all else as text. Nothing when it
  /// cannot be read.
  void add_sample(std::int64_t step, const std::filesystem::path& path);
  /// Writes what is pending; false when that fails.
  bool flush() { return file_.flush(); }

 private:
  void add_summary(std::int64_t step, const std::string& summary);

  AppendedFile file_;
};

/// CRC-32C (Castagnoli, RFC 3720, appendix B.4) of `bytes`.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace genera::zoo
