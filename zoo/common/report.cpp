#include "zoo/common/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "zoo/common/config_text.h"
#include "zoo/common/dataset.h"
#include "zoo/common/failure.h"
#include "zoo/common/json_text.h"
#include "zoo/common/markup.h"
#include "zoo/common/run_folder.h"
#include "zoo/common/summary.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr const char* style = R"(
body { font: 15px/1.5 sans-serif; color: #222; max-width: 1000px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; } td, th { padding: .2em .9em .2em 0; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; } tr + tr td { border-top: 1px solid #e4e4e4; }
figure { display: inline-block; margin: 0 1em 1em 0; } figcaption { color: #666; }
figure img { max-width: 100%; image-rendering: pixelated; } svg { max-width: 100%; height: auto; }
pre { background: #f4f4f4; padding: 1em; white-space: pre-wrap; overflow-wrap: anywhere; }
)";

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Json json_in(const fs::path& path) {
  Json object = Json::parse(content_of(path), nullptr, false);
  return object.is_object() ? object : Json::object();
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

std::string text_in(const Json& object, const char* key) {
  return object.contains(key) ? text_of(object[key]) : "";
}

std::string section(const std::string& title, const std::string& body) {
  return body.empty() ? "" : fmt::format("<h2>{}</h2>\n{}", title, body);
}

std::string table(const Row& head, const std::vector<Row>& rows) {
  if (rows.empty()) return "";
  std::string html = "<table>\n";
  const auto add = [&](const Row& row, const char* cell) {
    html += "<tr>";
    for (const std::string& text : row)
      html += fmt::format("<{0}>{1}</{0}>", cell, escaped_markup(text));
    html += "</tr>\n";
  };
  if (!head.empty()) add(head, "th");
  for (const Row& row : rows) add(row, "td");
  return html + "</table>\n";
}

std::string figures_table(const RunFolder& folder) {
  const Summary summary = read_summary(folder.summary());
  std::vector<Row> rows;
  for (const Figure& figure : summary.figures)
    rows.push_back({figure.name, fmt::format("{:.5g} {}", figure.value, figure.unit),
                    figure.standard_error > 0 ? fmt::format("{:.2g}", figure.standard_error) : "",
                    figure.protocol});
  return table({"figure", "value", "standard error", "protocol"}, rows);
}

std::string curves(const RunFolder& folder, const std::string& loss_label) {
  const std::vector<MetricsLine> lines = read_metrics(folder.metrics());
  std::vector<std::string> names;
  for (const MetricsLine& line : lines)
    for (const Metric& metric : line.metrics)
      if (metric.name != "seconds" &&
          std::find(names.begin(), names.end(), metric.name) == names.end())
        names.push_back(metric.name);
  std::string html;
  for (const std::string& name : names)
    html += metrics_plot(lines, {name}, {name, "step", name == "loss" ? loss_label : name});
  return html;
}

// step_0000400.png before step_0000800.png, and both before step_10000000.png.
std::vector<fs::path> sample_files(const RunFolder& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder.path() / "samples", error), end; !error && entry != end;
       entry.increment(error))
    if (entry->path().filename().string().starts_with("step_")) files.push_back(entry->path());
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    const std::string x = a.filename().string(), y = b.filename().string();
    return std::pair(x.size(), x) < std::pair(y.size(), y);
  });
  return files;
}

// The newest samples, those of half the way, and the first: from the same noise, so that one sees
// what was learned.
std::string samples(const RunFolder& folder) {
  const std::vector<fs::path> files = sample_files(folder);
  std::string html;
  for (std::size_t i = files.size(); i-- > 0;) {
    if (i != 0 && i + 1 != files.size() && i != (files.size() - 1) / 2) continue;
    const fs::path& file = files[i];
    const std::string content = content_of(file);
    const std::string caption = escaped_markup(file.stem().string());
    html += file.extension() == ".png"
                ? fmt::format(
                      "<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\">"
                      "<figcaption>{0}</figcaption></figure>\n",
                      caption, base64(content))
                : fmt::format("<p>{}</p>\n<pre>{}</pre>\n", caption, escaped_markup(content));
  }
  return html;
}

std::string configuration(const RunFolder& folder) {
  std::vector<Row> rows;
  try {
    for (const auto& [name, value] : read_config(folder.config()))
      rows.push_back({name, name == "data" ? plain_name(value) : value});
  } catch (const UsageError&) {
    // the page shows what there is
  }
  return table({}, rows);
}

std::string origin(const Json& manifest) {
  std::vector<Row> rows;
  for (const auto& [key, value] : manifest.items()) {
    if (!value.is_object()) rows.push_back({key, text_of(value)});
    if (value.is_object())
      for (const auto& [inner, part] : value.items())
        rows.push_back({fmt::format("{} {}", key, inner), text_of(part)});
  }
  return table({}, rows);
}

}  // namespace

std::string metrics_plot(std::span<const MetricsLine> lines, const std::vector<std::string>& names,
                         const PlotLabels& labels) {
  std::vector<Curve> curves;
  for (const std::string& name : names)
    for (const char* split : {"train", "validation"}) {
      const std::string label = names.size() == 1                    ? split
                                : split == std::string_view("train") ? name
                                                                     : name + " (validation)";
      Curve curve{label, {}, split == std::string_view("train")};
      for (const MetricsLine& line : lines)
        if (line.split == split && contains(line.metrics, name))
          curve.points.emplace_back(static_cast<double>(line.step), value_of(line.metrics, name));
      if (!curve.points.empty()) curves.push_back(std::move(curve));
    }
  return plot_svg(curves, labels);
}

std::string report_page(const RunFolder& folder) {
  const Json manifest = json_in(folder.manifest());
  const std::string data = manifest.contains("data") && manifest["data"].is_object()
                               ? text_in(manifest["data"], "name")
                               : "";
  const std::string title = escaped_markup(
      fmt::format("{} {} on {}", text_in(manifest, "program"), text_in(manifest, "model"), data));
  const std::string figures = figures_table(folder);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, style);
  html += figures.empty() ? "<p>The training is not finished.</p>\n"
                          : section("Figures on the test set", figures);
  html += section("Curves", curves(folder, text_in(manifest, "loss")));
  html += section("Samples", samples(folder));
  html += section("Configuration", configuration(folder));
  html += section("Origin and machine", origin(manifest));
  return html + "</body>\n</html>\n";
}

void write_report(const RunFolder& folder) { write_text(folder.report(), report_page(folder)); }

}  // namespace genera::zoo
