#include "zoo/common/metrics.h"
#include "zoo/common/json_text.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

namespace genera::zoo {
namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const MetricsLine& line) {
  Json object;
  object["step"] = line.step;
  object["split"] = line.split;
  for (const Metric& metric : line.metrics) object[metric.name] = metric.value;
  return json_text(object) + "\n";
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

// Appends the lines up to `last_step` to `lines`; returns how many bytes of the file they are.
std::int64_t read_up_to(const std::filesystem::path& path, std::int64_t last_step,
                        std::vector<MetricsLine>& lines) {
  std::int64_t bytes = 0;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    auto line = from_text(text);
    // Without a newline at its end it may be cut off, and what comes next would stand on it.
    if (!line || line->step > last_step || file.eof()) break;
    lines.push_back(std::move(*line));
    bytes += static_cast<std::int64_t>(text.size()) + 1;
  }
  return bytes;
}

}  // namespace

double value_of(const Metrics& metrics, const std::string& name) {
  for (const Metric& metric : metrics)
    if (metric.name == name) return metric.value;
  return std::numeric_limits<double>::quiet_NaN();
}

bool contains(const Metrics& metrics, const std::string& name) {
  return std::any_of(metrics.begin(), metrics.end(),
                     [&](const Metric& metric) { return metric.name == name; });
}

std::vector<MetricsLine> read_metrics(const std::filesystem::path& file) {
  std::vector<MetricsLine> lines;
  read_up_to(file, std::numeric_limits<std::int64_t>::max(), lines);
  return lines;
}

MetricsLog::MetricsLog(const std::filesystem::path& file, std::int64_t last_step, Console& console)
    : file_(file, read_up_to(file, last_step, lines_), console) {}

void MetricsLog::add(MetricsLine line) {
  file_.add(to_text(line));
  lines_.push_back(std::move(line));
}

}  // namespace genera::zoo
