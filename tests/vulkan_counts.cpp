#include "tests/vulkan_counts.h"

#include <doctest/doctest.h>
#include <genera/device.h>

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include "tests/tests_folder.h"

namespace genera::zoo {
namespace {

const std::string host_step = "host_step ";

// In the order of the columns of vulkan_counts.txt.
const std::array<std::string, 8> columns{
    "dispatches", "barriers",       "submissions",      "waits",
    "pipelines",  "uploaded_bytes", "downloaded_bytes", "host_steps"};

std::string row_of(const Counts& counts) {
  std::string row;
  for (const std::string& column : columns) {
    const std::int64_t value = column == "host_steps" ? counts.host_steps() : counts.number(column);
    row += fmt::format("{}{}", row.empty() ? "" : " ", value);
  }
  return row;
}

/// Lines are "NAME: count count ...".
std::optional<std::string> committed_row(const std::string& name) {
  std::ifstream file(test::tests_folder() / "vulkan_counts.txt");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with(name + ": ")) return line.substr(name.size() + 2);
  return std::nullopt;
}

}  // namespace

std::int64_t Counts::number(const std::string& name) const {
  const auto found = numbers.find(name);
  REQUIRE_MESSAGE(found != numbers.end(), "the device's report has no line " << name);
  return found->second;
}

std::int64_t Counts::host_steps() const {
  std::int64_t sum = 0;
  for (const auto& [name, value] : numbers)
    if (name.starts_with(host_step)) sum += value;
  return sum;
}

Counts operator-(const Counts& after, const Counts& before) {
  Counts difference = after;
  for (auto& [name, value] : difference.numbers) {
    const auto found = before.numbers.find(name);  // a host step has a line from its first time on
    if (found != before.numbers.end()) value -= found->second;
  }
  return difference;
}

Counts counts_so_far() {
  Counts counts;
  std::istringstream report(device_report());
  std::string line;
  while (std::getline(report, line)) {
    const std::size_t space = line.rfind(' ');
    const std::string value = line.substr(space + 1);
    if (value.find_first_not_of("0123456789") == std::string::npos)
      counts.numbers[line.substr(0, space)] = std::stoll(value);
  }
  return counts;
}

std::int64_t optimiser_steps_of(const std::vector<State>& states) {
  std::int64_t sum = 0;
  for (const State& state : states)
    if (state.name().ends_with(".step") && state.value().rank() == 0)
      sum += state.value().item<std::int32_t>();
  return sum;
}

void check_counts(const std::string& name, const Counts& counts) {
  std::string shown, host;
  for (const auto& [what, value] : counts.numbers)
    if (what.starts_with(host_step) && value > 0)
      host += fmt::format(", {} x {}", value, what.substr(host_step.size()));
  const std::string row = row_of(counts);
  std::istringstream now(row);
  const std::optional<std::string> committed = committed_row(name);
  CHECK_MESSAGE(committed, "vulkan_counts.txt has no line for " << name);
  std::istringstream allowed(committed.value_or(""));
  for (const std::string& column : columns) {
    std::int64_t value = 0, most = 0;
    now >> value;
    shown += fmt::format("{}{} {}", shown.empty() ? "" : ", ", value, column);
    if (!(allowed >> most)) continue;
    CHECK_MESSAGE(value <= most, name << ": " << value << " " << column << ", committed " << most);
    if (value < most) shown += fmt::format(" (committed: {})", most);
  }
  MESSAGE(name << "\n  a step: " << shown << ", " << counts.number("recordings_kept")
               << " recordings submitted again" << host);
  if (const char* file = std::getenv("GENERA_WRITE_COUNTS"))
    std::ofstream(file, std::ios::app) << name << ": " << row << "\n";
}

}  // namespace genera::zoo
