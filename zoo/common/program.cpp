#include "zoo/common/program.h"

#include <fmt/core.h>

#include <filesystem>

#include "zoo/common/config_text.h"
#include "zoo/common/extents.h"
#include "zoo/common/saved_states.h"
#include "zoo/common/shell.h"
#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

std::vector<std::pair<std::string, std::string>> settings_in(const std::filesystem::path& config) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [name, value] : read_config(config)) settings.emplace_back(name, value);
  return settings;
}

std::string recipe_of(const std::string& program, const Verb& train, const Verb& verb,
                      const std::string& run, const TrainedRun& opened) {
  const std::string weights =
      std::filesystem::is_directory(run)
          ? "RUN"
          : shell_word("RUN/checkpoints/" + std::filesystem::path(opened.file).filename().string());
  const std::string flags = verb.run_flags();
  const auto step = opened.checkpoint.metadata.find("step");
  return fmt::format("{} && {} {} {}{}{}  # weights of step {}; version {}, commit {}",
                     train_command(program, train), program, verb.name(), weights,
                     flags.empty() ? "" : " ", flags,
                     step == opened.checkpoint.metadata.end() ? "?" : step->second,
                     program_version(), source_commit());
}

}  // namespace

std::vector<std::int64_t> TrainedRun::extents(const std::string& key, std::size_t count,
                                              std::int64_t largest) const {
  const auto found = checkpoint.metadata.find(key);
  const std::string text = found == checkpoint.metadata.end() ? "" : found->second;
  const auto numbers = parse_extents(text, largest);
  if (!numbers || numbers->size() != count)
    throw DataError(
        fmt::format("{}: '{}' must be {} sizes, is '{}'; was it made by another program?", file,
                    key, count, text));
  return *numbers;
}

void TrainedRun::restore(const std::vector<State>& states) const {
  zoo::restore(states, checkpoint.tensors, file);
}

Program::Program(const std::string& name, const std::string& description)
    : name_(name), line_(name, description) {}

Verb& Program::add_train(TrainFlags& flags, std::function<std::unique_ptr<Trainable>()> make) {
  train_ = &line_.verb("train", "Trains a model; the run folder holds all that comes of it");
  bodies_.emplace_back(train_, [this, &flags, make = std::move(make)] {
    return train_verb(name_, *train_, flags, make);
  });
  return *train_;
}

Verb& Program::add_verb(const std::string& name, const std::string& help, ComputeFlags& compute,
                        std::function<int()> body) {
  Verb& verb = line_.verb(name, help);
  add_compute_flags(verb, compute);
  bodies_.emplace_back(&verb, [&compute, body = std::move(body)] {
    apply(compute);
    return body();
  });
  return verb;
}

Verb& Program::add_reader(const std::string& name, const std::string& help, std::string& run,
                          ComputeFlags& compute, std::function<int(const TrainedRun&)> body) {
  Verb& verb = line_.verb(name, help);
  verb.argument("RUN", run, "a run folder, or one of its checkpoints");
  add_compute_flags(verb, compute);
  bodies_.emplace_back(&verb, [this, &verb, &run, &compute, body = std::move(body)] {
    apply(compute);
    return body(open(run, verb));
  });
  return verb;
}

TrainedRun Program::open(const std::string& run, const Verb& verb) {
  RunFolder folder = RunFolder::open(run);
  folder.check_program(name_);
  train_->restore(folder.config());
  std::string file = folder.checkpoint_to_read().string();
  io::Checkpoint checkpoint = io::read_checkpoint(file);
  TrainedRun opened{
      name_, folder, std::move(file), std::move(checkpoint), settings_in(folder.config()), ""};
  opened.recipe = recipe_of(name_, *train_, verb, run, opened);
  return opened;
}

int Program::run(int argc, const char* const* argv) {
  const Verb* chosen = line_.parse(argc, argv);
  if (chosen == nullptr) return exit_done;
  for (const auto& [verb, body] : bodies_)
    if (verb == chosen) return body();
  throw Error(fmt::format("the verb {} does nothing", chosen->name()));
}

}  // namespace genera::zoo
