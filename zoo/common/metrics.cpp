#include "zoo/common/metrics.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "zoo/common/console.h"

namespace genera::zoo {
namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const MetricsLine& line) {
  Json object;
  object["step"] = line.step;
  object["split"] = line.split;
  for (const Metric& metric : line.metrics) object[metric.name] = metric.value;
  return object.dump() + "\n";
}

std::optional<MetricsLine> from_text(const std::string& text) {
  const Json object = Json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("step") || !object["step"].is_number_integer() ||
      !object.contains("split") || !object["split"].is_string())
    return std::nullopt;
  MetricsLine line{object["step"].get<std::int64_t>(), object["split"].get<std::string>(), {}};
  for (const auto& [name, value] : object.items())
    if (name != "step" && value.is_number()) line.metrics.push_back({name, value.get<double>()});
  return line;
}

// Appends `text` at `offset`, where a failed attempt before may have left a part of it.
bool write_at(const std::filesystem::path& file, std::int64_t offset, const std::string& text) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return false;
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = pwrite(descriptor, text.data() + done, text.size() - done,
                             offset + static_cast<std::int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  const int reason = errno;
  const bool complete = done == text.size();
  if (!complete && ftruncate(descriptor, offset) != 0) errno = reason;
  const bool closed = close(descriptor) == 0;
  if (!complete) errno = reason;
  return complete && closed;
}

}  // namespace

double value_of(const Metrics& metrics, const std::string& name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return metric.value;
  return std::numeric_limits<double>::quiet_NaN();
}

MetricsLog::MetricsLog(std::filesystem::path file, std::int64_t last_step, Console& console)
    : file_(std::move(file)), console_(console) {
  std::ifstream old(file_);
  for (std::string text; std::getline(old, text);) {
    const auto line = from_text(text);
    if (!line || line->step > last_step) break;
    lines_.push_back(*line);
    written_bytes_ += static_cast<std::int64_t>(text.size()) + 1;
  }
  std::error_code missing;
  std::filesystem::resize_file(file_, static_cast<std::uintmax_t>(written_bytes_), missing);
}

void MetricsLog::add(MetricsLine line) {
  pending_ += to_text(line);
  lines_.push_back(std::move(line));
}

bool MetricsLog::flush() {
  if (pending_.empty()) return true;
  if (!write_at(file_, written_bytes_, pending_)) {
    console_.warn_once(fmt::format("{} could not be written ({}); training goes on", file_.string(),
                                   std::strerror(errno)));
    return false;
  }
  written_bytes_ += static_cast<std::int64_t>(pending_.size());
  pending_.clear();
  return true;
}

}  // namespace genera::zoo
