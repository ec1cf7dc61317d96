#include "zoo/common/training.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>

#include "zoo/common/event_log.h"
#include "zoo/common/failure.h"
#include "zoo/common/interruption.h"
#include "zoo/common/non_finite.h"
#include "zoo/common/report.h"
#include "zoo/common/saved_states.h"
#include "zoo/common/shell.h"
#include "zoo/common/version.h"

namespace genera::zoo {
namespace {

constexpr int measured_steps = 20;
constexpr std::int64_t log_lines = 2000;
constexpr std::int64_t sample_pictures = 8;
constexpr double save_seconds = 60;  // between checkpoints

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double text_to_double(const io::Metadata& metadata, const char* key, const std::string& source) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) throw DataError(fmt::format("{}: has no '{}'", source, key));
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (end == found->second.c_str() || *end != '\0')
    throw DataError(fmt::format("{}: '{}' is no number: {}", source, key, found->second));
  return value;
}

std::int64_t text_to_step(const io::Metadata& metadata, const char* key,
                          const std::string& source) {
  const double value = text_to_double(metadata, key, source);
  if (!(value >= 0 && value < 1e15) || value != std::floor(value))
    throw DataError(fmt::format("{}: '{}' is no number of steps: {}", source, key, value));
  return static_cast<std::int64_t>(value);
}

class Loop {
 public:
  Loop(Experiment& experiment, const RunFolder& folder, const TrainingOptions& options,
       Console& console, std::int64_t last_logged)
      : experiment_(experiment),
        folder_(folder),
        options_(options),
        console_(console),
        log_(folder.metrics(), last_logged, console),
        events_(folder.events(), last_logged, console) {}

  void begin_new() {
    save_last();
    best_ = model_snapshot();
  }
  void begin_resumed(const io::Checkpoint& checkpoint, const std::string& source);
  void fix_steps(const std::function<void(std::int64_t)>& tell);
  void run();
  TrainingOutcome finish();

 private:
  bool at(std::int64_t every) const { return step_ % std::max<std::int64_t>(every, 1) == 0; }
  double elapsed() const { return seconds_before_ + now() - started_; }
  void one_step();
  void validate();
  void sample();
  void save_last();
  void save_best();
  void record(MetricsLine line);
  void flush_logs();
  void plot();
  bool write(const std::string& what, const std::function<void()>& action);
  std::vector<io::NamedArray> model_snapshot();
  std::string unwritten() const;
  void stop_at_interruption();
  [[noreturn]] void fail_on_non_finite(const std::string& seen);

  Experiment& experiment_;
  const RunFolder& folder_;
  TrainingOptions options_;
  Console& console_;
  MetricsLog log_;
  EventLog events_;
  InterruptionGuard interruption_;
  std::set<std::string> unwritten_;
  std::function<void()> fix_config_;  // writes the measured number of steps
  std::vector<io::NamedArray> best_;
  double best_loss_ = std::numeric_limits<double>::infinity();
  std::int64_t best_step_ = 0;
  double last_validation_ = std::numeric_limits<double>::quiet_NaN();
  std::int64_t step_ = 0;  // steps done
  double seconds_before_ = 0;
  double started_ = now();
  double saved_at_ = now();
};

// Runs an action that writes a file. A disk that refuses is no reason to stop: the next attempt may
// succeed.
bool Loop::write(const std::string& what, const std::function<void()>& action) {
  try {
    action();
    unwritten_.erase(what);
    return true;
  } catch (const DiskError& error) {
    if (unwritten_.insert(what).second)
      console_.warn(fmt::format("{}; training goes on and tries again", error.what()));
    return false;
  }
}

// What the disk refused, in words.
std::string Loop::unwritten() const {
  std::string all;
  for (const std::string& what : unwritten_) all += (all.empty() ? "" : ", ") + what;
  return all;
}

std::vector<io::NamedArray> Loop::model_snapshot() {
  std::vector<io::NamedArray> arrays;
  experiment_.with_evaluation_weights([&] { arrays = snapshot(experiment_.model_states()); });
  return arrays;
}

void Loop::begin_resumed(const io::Checkpoint& checkpoint, const std::string& source) {
  if (!checkpoint.metadata.contains("best_step"))
    throw DataError(
        fmt::format("{}: holds a result, not all that a training goes on with; resume "
                    "its run folder, or checkpoints/last.safetensors there",
                    source));
  restore(experiment_.states(), checkpoint.tensors, source);
  step_ = text_to_step(checkpoint.metadata, "step", source);
  best_step_ = text_to_step(checkpoint.metadata, "best_step", source);
  best_loss_ = text_to_double(checkpoint.metadata, "best_loss", source);
  if (options_.steps > 0 && step_ > options_.steps)
    throw DataError(
        fmt::format("{}: has done {} steps, and config.toml asks for {}; was it edited?", source,
                    step_, options_.steps));
  best_ = model_snapshot();
  std::error_code missing;
  if (std::filesystem::exists(folder_.best_checkpoint(), missing)) {
    const std::string file = folder_.best_checkpoint().string();
    io::Checkpoint best = io::read_checkpoint(file);
    check_fits(experiment_.model_states(), best.tensors, file);
    best_ = std::move(best.tensors);
    // One that is newer than this checkpoint will be found again. An older one than the checkpoint
    // knows of is what a full disk left.
    if (const std::int64_t step = text_to_step(best.metadata, "step", file); step < best_step_) {
      best_step_ = step;
      best_loss_ = text_to_double(best.metadata, "best_loss", file);
    }
  }
  for (const MetricsLine& line : log_.lines()) {
    const double seconds = value_of(line.metrics, "seconds");
    if (std::isfinite(seconds)) seconds_before_ = seconds;
  }
}

// Fixes the number of steps that fits into the time; the states stay as they were.
void Loop::fix_steps(const std::function<void(std::int64_t)>& tell) {
  if (options_.steps > 0) return;
  const double begin = now();
  const StepCost cost = measure_steps(experiment_, measured_steps);
  stop_at_interruption();
  options_.steps = steps_in(options_.seconds - (now() - begin), cost, options_.validations);
  console_.note(
      fmt::format("{:.2f} ms a step, {:.0f} ms for each of {} validations: {} steps fit into {}",
                  cost.step * 1e3, cost.validation * 1e3, options_.validations, options_.steps,
                  duration_text(options_.seconds)));
  const double validating = cost.validation * static_cast<double>(options_.validations);
  if (validating > options_.seconds / 2)
    console_.warn(fmt::format(
        "of {}, {} validations take {}: fewer --validations leave more of it to the training",
        duration_text(options_.seconds), options_.validations, duration_text(validating)));
  fix_config_ = [tell, steps = options_.steps] { tell(steps); };
  write("config.toml", fix_config_);
}

void Loop::run() {
  started_ = saved_at_ = now();
  const std::int64_t validate_every =
      std::max<std::int64_t>(1, options_.steps / std::max<std::int64_t>(options_.validations, 1));
  const std::int64_t sample_every = std::max<std::int64_t>(1, options_.steps / sample_pictures);
  const std::int64_t end = options_.stop_after > 0
                               ? std::min(options_.steps, step_ + options_.stop_after)
                               : options_.steps;
  console_.start_progress(options_.steps, step_, static_cast<double>(options_.items),
                          options_.item_name);
  while (step_ < end) {
    one_step();
    const bool last = step_ == options_.steps;
    if (at(validate_every) || last) validate();
    if (at(sample_every) || last) sample();
    const bool due =
        options_.save_every > 0 ? at(options_.save_every) : now() - saved_at_ >= save_seconds;
    if (due && !last) {
      flush_logs();
      save_last();
      plot();
    }
    stop_at_interruption();
  }
  console_.end_progress();
}

void Loop::one_step() {
  const StepInfo info{step_, options_.steps};
  const NamedTensors figures = experiment_.step(info);
  const double loss = figures.front().second.item<double>();
  ++step_;
  const std::string& name = figures.front().first;
  if (!std::isfinite(loss)) fail_on_non_finite(fmt::format("the {} is {}", name, loss));
  if (at(options_.steps / log_lines) || step_ == 1 || step_ == options_.steps) {
    MetricsLine line{step_, "train", {}};
    for (const auto& [figure, tensor] : figures)
      line.metrics.push_back({figure, tensor.item<double>()});
    record(std::move(line));
  }
  std::string text = fmt::format("{} {:#.5g}", name, loss);
  if (console_.progress_due() && std::isfinite(last_validation_))
    text += fmt::format("  val {:#.5g}", last_validation_);
  console_.progress(step_, text);
}

void Loop::record(MetricsLine line) {
  line.metrics.push_back({"seconds", std::round(elapsed() * 1e3) / 1e3});
  events_.add(line);
  log_.add(std::move(line));
}

void Loop::flush_logs() {
  const auto note = [&](const char* what, bool written) {
    if (written)
      unwritten_.erase(what);
    else
      unwritten_.insert(what);
  };
  note("metrics.jsonl", log_.flush());
  note("events", events_.flush());
}

void Loop::validate() {
  Metrics metrics;
  experiment_.with_evaluation_weights([&] { metrics = experiment_.validate(); });
  const bool chooses = contains(metrics, "loss");
  last_validation_ = value_of(metrics, "loss");
  if (chooses && !std::isfinite(last_validation_))
    fail_on_non_finite(fmt::format("the validation loss is {}", last_validation_));
  if (!metrics.empty()) record({step_, "validation", metrics});
  flush_logs();
  if (!chooses || last_validation_ < best_loss_) {
    if (chooses) best_loss_ = last_validation_;
    best_step_ = step_;
    best_ = model_snapshot();
    save_best();
  } else if (unwritten_.contains("best")) {
    save_best();
  }
}

void Loop::sample() {
  const std::string extension = experiment_.sample_extension();
  if (extension == "png" && !io::has_png()) return;
  const std::string recipe =
      fmt::format("{}  # its samples of step {}; version {}, commit {}", options_.command(), step_,
                  program_version(), source_commit());
  const std::filesystem::path file = folder_.sample(step_, extension);
  bool written = false;
  experiment_.with_evaluation_weights(
      [&] { written = write("samples", [&] { experiment_.write_samples(file, recipe); }); });
  if (written) events_.add_sample(step_, file);
}

// No NaN is ever saved: from a checkpoint one can always go on.
void Loop::save_last() {
  saved_at_ = now();
  const auto arrays = snapshot(experiment_.states());
  if (const std::string bad = first_non_finite(arrays); !bad.empty())
    fail_on_non_finite(fmt::format("{} holds NaN or infinity", bad));
  io::Metadata metadata = experiment_.description();
  metadata["step"] = std::to_string(step_);
  metadata["best_step"] = std::to_string(best_step_);
  metadata["best_loss"] = fmt::format("{}", best_loss_);
  write("last",
        [&] { io::write_checkpoint(folder_.last_checkpoint(), io::views(arrays), metadata); });
}

void Loop::save_best() {
  io::Metadata metadata = experiment_.description();
  metadata["step"] = std::to_string(best_step_);
  metadata["best_loss"] = fmt::format("{}", best_loss_);
  write("best",
        [&] { io::write_checkpoint(folder_.best_checkpoint(), io::views(best_), metadata); });
}

void Loop::plot() {
  write("loss.svg", [&] {
    write_text(folder_.loss_plot(), metrics_plot(log_.lines(), experiment_.plotted(),
                                                 {options_.title, "step", options_.y_label}));
  });
  write("report.html", [&] { write_report(folder_); });
}

void Loop::stop_at_interruption() {
  const int signal = InterruptionGuard::signal();
  if (signal == 0) return;
  save_last();
  if (unwritten_.contains("best")) save_best();
  flush_logs();
  plot();
  console_.end_progress();
  const std::string lost =
      unwritten_.empty() ? "" : fmt::format(", but could not write: {}", unwritten());
  throw Interrupted(signal, fmt::format("stopped after step {}{}; continue with: {}", step_, lost,
                                        options_.resume_command));
}

// Goes back to the last checkpoint and does its steps again, looking at every value.
void Loop::fail_on_non_finite(const std::string& seen) {
  console_.end_progress();
  flush_logs();
  const std::int64_t failed = step_;
  const std::string file = folder_.last_checkpoint().string();
  std::string found;
  try {
    const io::Checkpoint checkpoint = io::read_checkpoint(file);
    restore(experiment_.states(), checkpoint.tensors, file);
    std::int64_t step = text_to_step(checkpoint.metadata, "step", file);
    console_.note(fmt::format("{} after step {}: repeating the steps from {} to find its origin",
                              seen, failed, step + 1));
    for (; step < failed && found.empty(); ++step) {
      const StepInfo info{step, options_.steps};
      found = find_first_non_finite([&] { eval(experiment_.step_graph(info)); });
      if (!found.empty()) found += fmt::format(" in step {}", step + 1);
      if (found.empty()) experiment_.step(info);
    }
    if (found.empty()) {
      found = find_first_non_finite(
          [&] { experiment_.with_evaluation_weights([&] { experiment_.validate(); }); });
      if (!found.empty()) found += fmt::format(" in the validation after step {}", step);
    }
  } catch (const DataError& error) {
    found = fmt::format("no replay: {}", error.what());
  }
  if (found.empty()) found = "the replay of the steps found no such value";
  throw NumericError(fmt::format("{} after step {}: {}; try a smaller --lr", seen, failed, found));
}

TrainingOutcome Loop::finish() {
  const double seconds = elapsed();
  save_last();
  if (unwritten_.contains("best")) save_best();
  if (unwritten_.contains("config.toml")) write("config.toml", fix_config_);
  flush_logs();
  plot();
  restore(experiment_.model_states(), best_, "the resulting weights");
  return {options_.steps, seconds, best_loss_, best_step_, step_ == options_.steps, unwritten()};
}

}  // namespace

std::vector<Tensor> graphs_of(Gradients gradients) {
  std::vector<Tensor> graphs = std::move(gradients.values);
  graphs.insert(graphs.begin(), std::move(gradients.loss));
  return graphs;
}

StepCost measure_steps(Experiment& experiment, int rounds) {
  const auto before = snapshot(experiment.states());
  std::vector<double> times;
  for (int i = 0; i < rounds && InterruptionGuard::signal() == 0; ++i) {
    const double begin = now();
    experiment.step({i, rounds}).front().second.item<double>();
    times.push_back(now() - begin);
  }
  StepCost cost;
  // The first steps make plans and touch fresh memory; the median forgets them.
  std::sort(times.begin(), times.end());
  if (!times.empty()) cost.step = times[times.size() / 2];
  restore(experiment.states(), before, "the states before");
  const double begin = now();
  experiment.with_evaluation_weights([&] { experiment.validate(); });
  cost.validation = now() - begin;
  return cost;
}

std::int64_t steps_in(double seconds, const StepCost& cost, std::int64_t validations) {
  const double left = seconds - cost.validation * static_cast<double>(validations);
  return std::max<std::int64_t>(measured_steps,
                                static_cast<std::int64_t>(left / std::max(cost.step, 1e-7)));
}

namespace {

io::Checkpoint read_or_offer_previous(const std::string& file) {
  try {
    return io::read_checkpoint(file);
  } catch (const DataError& error) {
    const std::string previous = io::previous_path(file).string();
    std::error_code missing;
    if (!std::filesystem::exists(previous, missing)) {
      if (std::filesystem::exists(file, missing)) throw;
      throw DataError(fmt::format(
          "{} is missing: a run goes on from it alone, the best weights can be used but not "
          "continued; train anew in another folder",
          file));
    }
    throw DataError(fmt::format("{}; the checkpoint before it can be continued with: --resume {}",
                                error.what(), shell_word(previous)));
  }
}

}  // namespace

TrainingOutcome train(Experiment& experiment, const RunFolder& folder,
                      const TrainingOptions& options, bool resume,
                      const std::function<void(std::int64_t steps)>& fix_steps, Console& console) {
  if (!resume || !folder.has_checkpoint()) {
    if (resume) console.note("no checkpoint was saved: the run begins anew");
    Loop loop(experiment, folder, options, console, 0);
    loop.begin_new();
    loop.fix_steps(fix_steps);
    loop.run();
    return loop.finish();
  }
  const std::string source = folder.checkpoint_to_resume().string();
  const io::Checkpoint checkpoint = read_or_offer_previous(source);
  const std::int64_t step = text_to_step(checkpoint.metadata, "step", source);
  if (step == options.steps)
    console.note(fmt::format(
        "all {} steps are done already; for more of them train a new run with a larger --steps",
        step));
  Loop loop(experiment, folder, options, console, step);
  loop.begin_resumed(checkpoint, source);
  loop.fix_steps(fix_steps);
  loop.run();
  return loop.finish();
}

}  // namespace genera::zoo
