/// The training loop that all families share: validation, checkpoints, samples, resuming,
/// interruption, time budgets.
#pragma once

#include <genera/autodiff.h>
#include <genera/io.h>
#include <genera/state.h>
#include <genera/tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "zoo/common/console.h"
#include "zoo/common/metrics.h"
#include "zoo/common/run_folder.h"

namespace genera::zoo {

/// Where in the training a step is. A step must depend on nothing else but the states: that is what
/// makes a resumed run give the same bits.
struct StepInfo {
  std::int64_t step = 0;   ///< from 0
  std::int64_t steps = 1;  ///< of the whole run
};

/// Figures of a step: graphs that its plans computed along. The first is the one that is shown, and
/// whose NaN stops the run: the loss.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// The loss and its gradients: the graphs of a step that has one loss, for Experiment::step_graph().
std::vector<Tensor> graphs_of(Gradients gradients);

/// What a family gives to the loop.
class Experiment {
 public:
  virtual ~Experiment() = default;

  /// All that training keeps from step to step, uniquely named: parameters, optimisers, averages,
  /// statistics, persistent chains.
  virtual std::vector<State> states() const = 0;
  /// What sampling and evaluation need of it.
  virtual std::vector<State> model_states() const = 0;
  /// What a reader of the checkpoints must know beside config.toml.
  virtual io::Metadata description() const { return {}; }
  /// Runs `body` while model_states() hold what evaluation uses (averaged weights).
  virtual void with_evaluation_weights(const std::function<void()>& body) { body(); }

  /// Does one step and returns its figures. One commit is best: one plan; adversaries take one each.
  virtual NamedTensors step(const StepInfo& info) = 0;
  /// The graphs of that step (losses, gradients), without doing it: for the hunt for NaN.
  virtual std::vector<Tensor> step_graph(const StepInfo& info) = 0;
  /// Figures on the validation set; the weights are those of evaluation. The weights with the least
  /// "loss" are the result of the run. A family that has none (a GAN) leaves it out, or has no
  /// figures at all: then the last weights are the result.
  virtual Metrics validate() { return {}; }
  /// What loss.svg shows: figures of step() and validate().
  virtual std::vector<std::string> plotted() const { return {"loss"}; }
  /// What write_samples() writes: "png", or another file's extension ("txt").
  virtual std::string sample_extension() const { return "png"; }
  /// Writes samples from fixed noise; into a picture also `recipe`. The weights are those of
  /// evaluation.
  virtual void write_samples(const std::filesystem::path& path, const std::string& recipe) = 0;
};

struct TrainingOptions {
  std::int64_t steps = 0;  ///< 0: as many as fit into `seconds`
  double seconds = 0;      ///< the time to train for
  std::int64_t items = 1;  ///< of a step, for the printed rate
  std::string item_name = "images";
  std::int64_t validations = 20;  ///< how often in the run, evenly spread
  std::int64_t save_every = 0;    ///< steps between checkpoints; 0: a minute
  std::int64_t stop_after = 0;    ///< steps of this call; 0: all
  std::string y_label = "loss";
  std::string title;
  std::string resume_command;  ///< shown when the run is interrupted
  /// The command that makes the run again, once its length is known; for the pictures.
  std::function<std::string()> command = [] { return std::string(); };
};

/// What training measured.
struct TrainingOutcome {
  std::int64_t steps = 0;
  double seconds = 0;    ///< over all parts of a resumed run
  double best_loss = 0;  ///< on the validation set; infinity where there is none
  std::int64_t best_step = 0;
  bool finished = true;   ///< false: stopped by stop_after
  std::string unwritten;  ///< what the disk refused to the end, in words
};

/// Trains until `options.steps` (or, with `seconds`, the number of steps that fits, which
/// `fix_steps` is told, once). With `resume` from the folder's last checkpoint, else from the
/// states as they are. Afterwards model_states() hold the evaluation weights that are the result. Throws
/// Interrupted after a signal and NumericError after NaN or infinity.
TrainingOutcome train(Experiment& experiment, const RunFolder& folder,
                      const TrainingOptions& options, bool resume,
                      const std::function<void(std::int64_t steps)>& fix_steps, Console& console);

/// Seconds of one step and of one validation, measured on `rounds` steps whose effect is undone.
struct StepCost {
  double step = 0;
  double validation = 0;
};
StepCost measure_steps(Experiment& experiment, int rounds);
/// How many steps fit into `seconds` beside so many validations; at least 20.
std::int64_t steps_in(double seconds, const StepCost& cost, std::int64_t validations);

}  // namespace genera::zoo
