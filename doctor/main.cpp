// genera-doctor: what this machine can compute with, whether it computes right, and what to install or change.

#include <fmt/core.h>
#include <genera/stats.h>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "doctor/findings.h"
#include "zoo/common/common_flags.h"
#include "zoo/common/console.h"
#include "zoo/common/failure.h"
#include "zoo/common/help_page.h"
#include "zoo/common/json_text.h"
#include "zoo/common/spelling.h"
#include "zoo/common/version.h"

namespace genera::doctor {
namespace {

struct Flags {
  std::string device;  // empty: all
  bool report = false;
};

/// False after --help and --version.
bool parse(int argc, const char* const* argv, Flags& flags) {
  CLI::App app(
      "Says what this machine can compute with, asks each device computations whose results are "
      "known, and says what to install or change");
  app.name("genera-doctor");
  app.formatter(std::make_shared<zoo::HelpPage>());
  app.option_defaults()->group(zoo::own_flags);
  app.set_help_flag("-h,--help", "Print this page");
  app.set_version_flag("--version", fmt::format("genera-doctor {}", zoo::program_version()),
                       "Print the version");
  app.add_option("--device", flags.device,
                 "Examine this device only: cpu, vulkan, vulkan:N, vulkan:NAME, or auto, which "
                 "takes what the programs would");
  app.add_flag("--report", flags.report, "Print everything as JSON, to be sent with a question");
  app.footer("Exits with 0 where every device that was asked gave the right answers, else with 5.");
  app.allow_extras();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    app.exit(help);
    return false;
  } catch (const CLI::ParseError& error) {
    throw zoo::UsageError(error.what());
  }
  for (const std::string& extra : app.remaining()) {
    const std::vector<std::string> known{"--device", "--report", "--help", "--version"};
    const std::string nearest = zoo::nearest_name(extra, known);
    throw zoo::UsageError(
        fmt::format("unknown argument '{}'{}", extra,
                    nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
  }
  if (!flags.device.empty()) zoo::check_device_name(flags.device);
  return true;
}

/// Names and values in columns, less what stands elsewhere.
void print_values(const Json& values) {
  for (const auto& [name, value] : values.items())
    if (value.is_primitive() && name != "name" && name != "kind" && name != "device")
      fmt::print("  {:<24} {}\n", name,
                 zoo::printable(value.is_string() ? value.get<std::string>() : value.dump()));
}

void print_examined(const Json& examined) {
  if (examined.contains("problem")) {
    fmt::print("  cannot be used: {}\n", examined["problem"].get<std::string>());
    return;
  }
  for (const Json& answer : examined["answers"])
    fmt::print("  {:<24} {}{} ({:.2f} s)\n", answer["question"].get<std::string>(),
               answer["right"].get<bool>() ? "right" : "WRONG: ", answer.value("wrong", ""),
               answer["seconds"].get<double>());
}

/// The devices to ask, by name; with what the drivers say about them.
std::vector<Json> devices_to_ask(const Flags& flags, const VulkanDevices& vulkan) {
  if (!flags.device.empty()) return {describe_device(flags.device, vulkan)};
  std::vector<Json> devices{Json{{"device", "cpu"}}};
  for (std::size_t i = 0; i < vulkan.described.size(); ++i) {
    Json device{{"device", fmt::format("vulkan:{}", i)}};
    device.update(vulkan.described[i]);
    devices.push_back(std::move(device));
  }
  return devices;
}

int run(const Flags& flags) {
  Json report;
  report["machine"] = describe_machine();
  const VulkanDevices vulkan = find_vulkan_devices();
  if (!flags.report) {
    fmt::print("genera-doctor\n");
    print_values(report["machine"]);
    std::fflush(stdout);  // what is known when a driver crashes
  }
  bool any_failed = false, any_wrong = false;
  for (Json& device : devices_to_ask(flags, vulkan)) {
    const auto name = device["device"].get<std::string>();
    if (!flags.report) {
      fmt::print("\n{}{}\n", name,
                 device.contains("name")
                     ? fmt::format(": {} ({})", device["name"].get<std::string>(),
                                   device["kind"].get<std::string>())
                     : "");
      print_values(device);
      std::fflush(stdout);
    }
    if (!device.contains("problem")) {
      const Json examined = examine(name);
      if (!flags.report) print_examined(examined);
      if (!flags.report && examined.contains("counters")) print_values(examined["counters"]);
      any_failed = any_failed || failed(examined);
      any_wrong = any_wrong || (failed(examined) && device.contains("name"));
      device.update(examined);
    }
    report["devices"].push_back(device);
  }
  std::vector<std::string> sentences = advice(vulkan, report["machine"]);
  if (any_wrong)  // what is not there has said so itself
    sentences.push_back(
        "a device failed: update its driver; if that does not help, send `genera-doctor --report` "
        "with an issue, and compute with --device cpu meanwhile");
  report["advice"] = sentences;
  if (flags.report) {
    fmt::print("{}\n", zoo::json_text(report, 2));
  } else {
    fmt::print("\n");
    for (const std::string& sentence : sentences) fmt::print("{}\n", sentence);
  }
  return any_failed ? zoo::exit_device : zoo::exit_done;
}

}  // namespace
}  // namespace genera::doctor

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-doctor", [&]() -> int {
    genera::doctor::Flags flags;
    if (!genera::doctor::parse(argc, argv, flags)) return genera::zoo::exit_done;
    genera::set_warning_handler(
        [](std::string_view text) { genera::zoo::Console(true).warn(std::string(text)); });
    return genera::doctor::run(flags);
  });
}
