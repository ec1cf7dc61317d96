#include "zoo/common/common_flags.h"

#include <fmt/core.h>
#include <genera/device.h>
#include <genera/stats.h>

#include <cctype>

#include "zoo/common/command_line.h"
#include "zoo/common/console.h"
#include "zoo/common/failure.h"
#include "zoo/common/help_page.h"
#include "zoo/common/machine.h"

namespace genera::zoo {

void add_compute_flags(Verb& verb, ComputeFlags& flags) {
  verb.under(common_flags)
      .option("device", flags.device, "cpu, vulkan[:N|:NAME] or auto", Kept::changeable)
      .option("threads", flags.threads,
              "Threads; 0: one per processor. Results do not depend on it", Range{0, 256},
              Kept::changeable)
      .flag("quiet", flags.quiet, "Print results and warnings only")
      .flag("json", flags.json, "Print the results as JSON")
      .under(own_flags);
}

void add_train_flags(Verb& verb, TrainFlags& flags, const DataWords& words) {
  std::string capital = words.items;
  if (!capital.empty())
    capital.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(capital.front())));
  verb.under(training_flags)
      .option("data", flags.data, words.data)
      .not_in_environment("data")  // GENERA_DATA is the folder in which names are looked up
      .option("out", flags.out, "Run folder to make; default runs/<program>-<model>-<n>",
              Kept::nowhere)
      .option("config", flags.config, "TOML file with values for these flags", Kept::nowhere)
      .option("resume", flags.resume,
              "Continue the run in this folder (or from one of its checkpoints)", Kept::nowhere)
      .option("epochs", flags.epochs,
              "Passes over the training " + words.items +
                  "; where neither --steps nor --time is given, the model's own number",
              Range{1, 1e9})
      .option("steps", flags.steps, "Training steps", Range{1, 1e12})
      .option("time", flags.time, "Train as many steps as fit into this time: 90s, 2m, 1h30m")
      .exclusive({"epochs", "steps", "time"})
      .option("batch", flags.batch, capital + " of a step", Range{1, 1e6})
      .option("seed", flags.seed, "Seed of all random numbers", Range{0, 1.8e19})
      .option("validations", flags.validations, "Validations in the whole run", Range{1, 1e6})
      .option("save-every", flags.save_every, "Steps between checkpoints; 0: one every minute",
              Range{0, 1e12}, Kept::changeable)
      .option("stop-after", flags.stop_after,
              "Save and stop after this many steps of this call; --resume goes on", Range{1, 1e12},
              Kept::nowhere)
      .flag("smoke", flags.smoke,
            "The whole path within seconds, on a few generated " + words.items, Kept::in_config)
      .flag("plan", flags.plan, "Print parameters, memory, steps and estimated time, and stop");
  add_compute_flags(verb, flags.compute);
}

TrainFlags on_data(TrainFlags flags, const std::string& data) {
  if (data.empty()) return flags;
  flags.data = data;
  flags.smoke = false;
  return flags;
}

std::string device_in_use() {
  const std::string report = device_report();
  const std::string line = report.substr(0, report.find('\n'));
  return line.substr(line.find(' ') + 1);
}

std::int64_t device_memory() {
  const std::string report = device_report();
  constexpr std::string_view name = "\nmemory_bytes ";
  const std::size_t at = report.find(name);
  return at == std::string::npos ? 0 : std::stoll(report.substr(at + name.size()));
}

void check_device_name(const std::string& device) {
  const bool chosen = device.starts_with("vulkan:") && device.size() > 7;
  if (!chosen && device != "vulkan" && device != "cpu" && device != "auto")
    throw UsageError(fmt::format("--device '{}' is none of cpu, vulkan[:N|:NAME], auto", device));
}

void apply(const ComputeFlags& flags) {
  check_device_name(flags.device);
  refuse_more_than_available();
  set_warning_handler([](std::string_view text) { Console(true).warn(std::string(text)); });
  set_device(flags.device);
  if (flags.device == "auto") Console(flags.quiet).note("device: " + device_in_use());
  set_threads(flags.threads > 0 ? static_cast<int>(flags.threads) : core_count());
}

}  // namespace genera::zoo
