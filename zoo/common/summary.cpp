#include "zoo/common/summary.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "zoo/common/json_text.h"
#include "zoo/common/machine.h"
#include "zoo/common/run_folder.h"
#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

using Json = nlohmann::ordered_json;

Json figures_json(const Summary& summary) {
  Json object = Json::object();
  for (const Figure& figure : summary.figures)
    object[figure.name] = {{"value", figure.value},
                           {"standard_error", figure.standard_error},
                           {"unit", figure.unit},
                           {"protocol", figure.protocol}};
  object["seconds"] = std::round(summary.seconds * 10) / 10;
  object["steps"] = summary.steps;
  object["parameters"] = summary.parameters;
  return object;
}

// Three decimals, or where those say nothing as many digits.
std::string number_text(double value) {
  return value == 0 || std::abs(value) >= 0.01 ? fmt::format("{:.3f}", value)
                                               : fmt::format("{:.3g}", value);
}

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  Json object = Json::parse(file, nullptr, false);
  return object.is_object() ? object : Json::object();
}

}  // namespace

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

Figure mean_figure(const std::string& name, const std::vector<double>& values,
                   const std::string& unit, const std::string& protocol) {
  const double n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  const double deviation = values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  return {name, mean, deviation / std::sqrt(n), unit, protocol};
}

std::string to_json(const Summary& summary) { return json_text(figures_json(summary), 2) + "\n"; }

Summary read_summary(const std::filesystem::path& path) {
  Summary summary;
  const Json object = read_json(path);
  for (const auto& [name, entry] : object.items()) {
    if (!entry.is_object() || !entry.contains("value") || !entry["value"].is_number()) continue;
    Figure figure{name, entry["value"].get<double>(), 0, "", ""};
    if (entry.contains("standard_error") && entry["standard_error"].is_number())
      figure.standard_error = entry["standard_error"].get<double>();
    if (entry.contains("unit") && entry["unit"].is_string())
      figure.unit = entry["unit"].get<std::string>();
    if (entry.contains("protocol") && entry["protocol"].is_string())
      figure.protocol = entry["protocol"].get<std::string>();
    summary.figures.push_back(figure);
  }
  const auto number = [&](const char* key) {
    return object.contains(key) && object[key].is_number() ? object[key].get<double>() : 0.0;
  };
  summary.seconds = number("seconds");
  summary.steps = static_cast<std::int64_t>(number("steps"));
  summary.parameters = static_cast<std::int64_t>(number("parameters"));
  return summary;
}

std::string to_text(const Summary& summary) {
  std::size_t width = 15;
  const auto of_another = [](const Figure& figure) {
    return figure.name.find('.') != std::string::npos;
  };
  for (const Figure& figure : summary.figures)
    if (!of_another(figure)) width = std::max(width, figure.name.size());
  std::string text;
  for (const Figure& figure : summary.figures) {
    if (of_another(figure)) continue;
    const std::string error = figure.standard_error > 0
                                  ? "standard error " + number_text(figure.standard_error) + "  "
                                  : "";
    text += fmt::format("{:<{}} {:>10} {:<4}  {}({})\n", figure.name, width,
                        number_text(figure.value), figure.unit, error, figure.protocol);
  }
  return text;
}

void write_record(const std::filesystem::path& path, const RunFolder& run, const Summary& summary) {
  const Json manifest = read_json(run.manifest());
  Json record;
  record["version"] = program_version();
  for (const char* key : {"commit", "command", "model", "seed", "data", "machine", "threads"})
    if (manifest.contains(key)) record[key] = manifest[key];
  record["evaluated_with"] = source_commit();
  record["metrics"] = figures_json(summary);
  write_text(path, json_text(record, 2) + "\n");
}

}  // namespace genera::zoo
