/// The verb `train`, the same for all families: run folder, manifest, plan, resuming, training, the
/// final evaluation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "zoo/common/command_line.h"
#include "zoo/common/common_flags.h"
#include "zoo/common/summary.h"
#include "zoo/common/training.h"

namespace genera::zoo {

/// What is trained, and on what.
class Trainable : public Experiment {
 public:
  virtual std::string model() const = 0;
  virtual std::int64_t steps_per_epoch() const = 0;
  /// When none of --epochs, --steps and --time is given.
  virtual std::int64_t default_epochs() const = 0;
  virtual std::int64_t parameter_count() const = 0;
  /// What a step works on, for the printed rate: "images", and how many; 0: as many as --batch says.
  virtual std::string item_name() const { return "images"; }
  virtual std::int64_t items_per_step() const { return 0; }
  virtual std::string data_name() const = 0;
  /// What config.toml keeps of --data, so that the run can be read from any folder. A family that
  /// generates what `data` names keeps the name, whatever folders are called like it.
  virtual std::string kept_data(const std::string& data) const;
  /// Options whose values were left to the model or the data, with those that were taken. config.toml
  /// keeps them: with other defaults a later version resumes and reads the run all the same.
  virtual std::vector<std::pair<std::string, std::string>> chosen() const { return {}; }
  /// Digest of the training and validation data.
  virtual std::string data_digest() const = 0;
  /// What loss.svg shows, with its unit: "negative ELBO (nats)".
  virtual std::string loss_label() const = 0;
  /// Figures on the test set; the first time that it is opened.
  virtual std::vector<Figure> evaluate(Console& console) = 0;
};

/// "genera-vae train --seed 3 --out RUN": the command that makes a run again, with the flags that
/// `verb` has and that are not the defaults.
std::string train_command(const std::string& program, const Verb& verb);

/// Runs the verb. `make` is called once the flags are final; `program` is "genera-vae". Returns the
/// exit code.
int train_verb(const std::string& program, Verb& verb, TrainFlags& flags,
               const std::function<std::unique_ptr<Trainable>()>& make);

}  // namespace genera::zoo
