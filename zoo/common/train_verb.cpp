#include "zoo/common/train_verb.h"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "zoo/common/dataset.h"
#include "zoo/common/duration.h"
#include "zoo/common/failure.h"
#include "zoo/common/json_text.h"
#include "zoo/common/machine.h"
#include "zoo/common/report.h"
#include "zoo/common/saved_states.h"
#include "zoo/common/shell.h"
#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

using Json = nlohmann::ordered_json;

std::string shown_command(const std::string& program, const Verb& verb) {
  std::string command = program + " " + verb.name();
  for (const auto& [name, value] : verb.given()) command += " " + shown_flag(name, value);
  return command;
}

std::string manifest_json(const std::string& program, const Trainable& trainable,
                          const TrainFlags& flags, const std::string& command) {
  Json manifest;
  manifest["program"] = program;
  manifest["version"] = program_version();
  manifest["commit"] = source_commit();
  manifest["command"] = command;
  manifest["model"] = trainable.model();
  manifest["loss"] = trainable.loss_label();
  manifest["seed"] = flags.seed;
  manifest["data"] = {{"name", plain_name(trainable.data_name())},
                      {"digest", trainable.data_digest()}};
  manifest["machine"] = {
      {"cpu", cpu_model()}, {"cores", core_count()}, {"device", device_in_use()}};
  manifest["threads"] = flags.compute.threads > 0 ? flags.compute.threads : core_count();
  return json_text(manifest, 2) + "\n";
}

// A run that goes on elsewhere is not the one that its manifest would promise: it says so.
void note_device(const RunFolder& folder, Console& console) {
  std::ifstream file(folder.manifest());
  Json manifest = Json::parse(file, nullptr, false);
  const Json::json_pointer place("/machine/device");
  if (!manifest.contains(place) || !manifest[place].is_string()) return;
  const auto before = manifest[place].get<std::string>();
  const std::string now = device_in_use();
  if (before == now || before.ends_with(", then " + now)) return;
  console.warn(
      fmt::format("the run was computed on {} and goes on on {}: not the bits of one that stayed",
                  before, now));
  manifest[place] = before + ", then " + now;
  write_text(folder.manifest(), json_text(manifest, 2) + "\n");
}

// Steps that the flags ask for; 0 with --time, whose number is measured.
std::int64_t asked_steps(const Trainable& trainable, const TrainFlags& flags) {
  if (flags.steps > 0) return flags.steps;
  if (!flags.time.empty()) return 0;
  const std::int64_t epochs = flags.epochs > 0 ? flags.epochs : trainable.default_epochs();
  return epochs * trainable.steps_per_epoch();
}

std::int64_t bytes_of(const std::vector<State>& states) {
  std::int64_t bytes = 0;
  for (const State& state : states)
    bytes += state.shape().elements() * static_cast<std::int64_t>(size_of(state.value().dtype()));
  return bytes;
}

int print_plan(Trainable& trainable, const TrainFlags& flags, const TrainingOptions& options) {
  const StepCost cost = measure_steps(trainable, 10);
  const std::int64_t steps =
      options.steps > 0 ? options.steps : steps_in(options.seconds, cost, options.validations);
  const double seconds = static_cast<double>(steps) * cost.step +
                         static_cast<double>(options.validations) * cost.validation;
  const std::int64_t states = bytes_of(trainable.states());
  if (flags.compute.json) {
    Json plan = {{"model", trainable.model()},
                 {"parameters", trainable.parameter_count()},
                 {"state_bytes", states},
                 {"peak_memory_bytes", peak_memory()},
                 {"device_memory_bytes", device_memory()},
                 {"steps", steps},
                 {"steps_per_epoch", trainable.steps_per_epoch()},
                 {"seconds_per_step", cost.step},
                 {"estimated_seconds", seconds}};
    fmt::print("{}\n", json_text(plan, 2));
    return exit_done;
  }
  fmt::print("model        {}\n", trainable.model());
  fmt::print("parameters   {}\n", trainable.parameter_count());
  fmt::print("memory       {:.1f} MB for parameters, moments and averages; {:.0f} MB in all\n",
             static_cast<double>(states) / 1e6, static_cast<double>(peak_memory()) / 1e6);
  if (const std::int64_t taken = device_memory())
    fmt::print("             and {:.0f} MB on {}\n", static_cast<double>(taken) / 1e6,
               device_in_use());
  fmt::print("steps        {} ({} an epoch)\n", steps, trainable.steps_per_epoch());
  fmt::print("time         about {} ({:.2f} ms a step)\n", duration_text(seconds), cost.step * 1e3);
  return exit_done;
}

TrainingOptions training_options(const std::string& program, const Trainable& trainable,
                                 const TrainFlags& flags) {
  TrainingOptions options;
  options.steps = asked_steps(trainable, flags);
  if (options.steps == 0) options.seconds = parse_duration(flags.time);
  options.items = trainable.items_per_step() > 0 ? trainable.items_per_step() : flags.batch;
  options.item_name = trainable.item_name();
  options.validations = flags.validations;
  options.save_every = flags.save_every;
  options.stop_after = flags.stop_after;
  options.y_label = trainable.loss_label();
  options.title =
      fmt::format("{} {} on {}", program, trainable.model(), plain_name(trainable.data_name()));
  return options;
}

// The training is done and saved: what is wrong with the test set must not look like its loss.
std::vector<Figure> figures_of(Trainable& trainable, const std::string& program,
                               const std::string& run, const std::string& resume_command,
                               Console& console) {
  try {
    return trainable.evaluate(console);
  } catch (const DataError& error) {
    throw DataError(fmt::format(
        "the training is done and saved in {}, but the test data cannot be read: {}; once that is "
        "mended: {} eval {} (or {}, which also writes summary.json)",
        run, error.what(), program, shell_word(run), resume_command));
  }
}

int report(const RunFolder& folder, std::vector<Figure> figures, const Trainable& trainable,
           const TrainFlags& flags, const TrainingOutcome& outcome, Console& console) {
  Summary summary;
  summary.figures = std::move(figures);
  summary.seconds = outcome.seconds;
  summary.steps = outcome.steps;
  summary.parameters = trainable.parameter_count();
  std::string unwritten = outcome.unwritten;
  try {
    write_text(folder.summary(), to_json(summary));
    write_report(folder);
  } catch (const DiskError&) {
    unwritten += unwritten.empty() ? "summary" : ", summary";
  }
  fmt::print("{}", flags.compute.json ? to_json(summary) : to_text(summary));
  if (!unwritten.empty())
    throw DiskError(fmt::format("the training is done, but in {} could not be written: {}",
                                folder.path().string(), unwritten));
  console.note(fmt::format("the run is in {}; to look at: {}", folder.path().string(),
                           folder.report().string()));
  return exit_done;
}

// What the run is made with, also where the command line left it open.
std::string config_of(Verb& verb, const Trainable& trainable, const TrainFlags& flags) {
  verb.set("data", trainable.kept_data(flags.data));
  if (flags.steps == 0 && flags.epochs == 0 && flags.time.empty())
    verb.set("epochs", std::to_string(trainable.default_epochs()));
  for (const auto& [name, value] : trainable.chosen()) verb.set(name, value);
  return verb.resolved();
}

// A smoke run reads no files of images or texts; whoever names some should not think that they were tried.
void warn_of_unread(const Verb& verb, const Trainable& trainable, const TrainFlags& flags,
                    Console& console) {
  const std::string read = plain_name(trainable.data_name());
  if (flags.smoke && verb.source("data") == Source::flag && read != plain_name(flags.data))
    console.warn(fmt::format("--smoke trains on generated data, {}: --data {} is not read", read,
                             flags.data));
}

void warn_of_existing(const std::string& out, Console& console) {
  std::error_code error;
  if (!out.empty() && std::filesystem::exists(out, error))
    console.warn(fmt::format("{} is there already: training into it will be refused", out));
}

}  // namespace

std::string Trainable::kept_data(const std::string& data) const {
  return data::absolute_name(data);
}

std::string train_command(const std::string& program, const Verb& verb) {
  const std::string flags = verb.run_flags();
  return fmt::format("{} {}{}{} --out RUN", program, verb.name(), flags.empty() ? "" : " ", flags);
}

int train_verb(const std::string& program, Verb& verb, TrainFlags& flags,
               const std::function<std::unique_ptr<Trainable>()>& make) {
  std::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads is no reason to lose a training
  std::optional<RunFolder> folder;
  const bool resume = !flags.resume.empty();
  if (!resume && verb.source("resume") == Source::flag)
    throw UsageError("--resume is empty: name the run folder to go on with");
  if (resume) {
    if (verb.source("out") == Source::flag || verb.source("config") == Source::flag)
      throw UsageError(
          "--resume goes on in its own folder with its own configuration: leave out "
          "--out and --config");
    folder = RunFolder::open(flags.resume);
    folder->check_program(program);
    verb.restore(folder->config());
  }
  const std::string command = shown_command(program, verb);
  apply(flags.compute);
  if (!flags.time.empty()) parse_duration(flags.time);
  Console console(flags.compute.quiet);
  const std::unique_ptr<Trainable> trainable = make();
  TrainingOptions options = training_options(program, *trainable, flags);
  warn_of_unread(verb, *trainable, flags, console);
  if (flags.plan) {
    warn_of_existing(flags.out, console);
    return print_plan(*trainable, flags, options);
  }
  if (resume) {
    folder->claim();
    note_device(*folder, console);
  } else {
    folder = RunFolder::create(flags.out, program, trainable->model());
    folder->claim();
    write_text(folder->config(), config_of(verb, *trainable, flags));
    write_text(folder->manifest(), manifest_json(program, *trainable, flags, command));
  }
  console.note(fmt::format("{} {}: {} parameters, into {}", program, trainable->model(),
                           trainable->parameter_count(), folder->path().string()));
  options.resume_command =
      fmt::format("{} {} --resume {}", program, verb.name(), shell_word(folder->path().string()));
  options.command = [&] { return train_command(program, verb); };
  const auto fix_steps = [&](std::int64_t steps) {
    verb.unset("time");
    verb.set("steps", std::to_string(steps));
    write_text(folder->config(), verb.resolved());
  };
  const TrainingOutcome outcome = train(*trainable, *folder, options, resume, fix_steps, console);
  if (!outcome.finished) {
    if (!outcome.unwritten.empty())
      throw DiskError(
          fmt::format("stopped, but in {} could not be written: {}; from the last "
                      "checkpoint there, continue with: {}",
                      folder->path().string(), outcome.unwritten, options.resume_command));
    console.note("stopped; continue with: " + options.resume_command);
    return exit_done;
  }
  std::vector<Figure> figures =
      figures_of(*trainable, program, folder->path().string(), options.resume_command, console);
  return report(*folder, std::move(figures), *trainable, flags, outcome, console);
}

}  // namespace genera::zoo
