/// A family's program: the verb `train` and the verbs that read what was trained.
#pragma once

#include <genera/io.h>
#include <genera/state.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "zoo/common/command_line.h"
#include "zoo/common/common_flags.h"
#include "zoo/common/failure.h"
#include "zoo/common/run_folder.h"
#include "zoo/common/train_verb.h"

namespace genera::zoo {

/// A run that was trained before, opened for reading.
struct TrainedRun {
  std::string program;
  RunFolder folder;
  std::string file;  ///< the checkpoint
  io::Checkpoint checkpoint;
  /// The lines of config.toml.
  std::vector<std::pair<std::string, std::string>> settings;
  /// Commands that make the run, and then what this verb makes; for the files that it writes.
  std::string recipe;

  /// The `count` numbers, separated by commas, that the checkpoint's description has under `key`.
  /// DataError when they are not as many, or one is not from 1 to `largest`: a file may say anything.
  std::vector<std::int64_t> extents(const std::string& key, std::size_t count,
                                    std::int64_t largest = 4096) const;
  /// make(): a model from the run's settings. What would be a usage error in training is a damaged
  /// run here: DataError.
  template <class Make>
  auto built(Make&& make) const -> decltype(make()) {
    try {
      return make();
    } catch (const UsageError& error) {
      throw DataError(file + ": " + error.what());
    }
  }
  /// Sets the states to the checkpoint's tensors of their names. DataError.
  void restore(const std::vector<State>& states) const;
};

/// Collects a program's verbs and runs the one that the command line names.
class Program {
 public:
  /// `name` is "genera-vae".
  Program(const std::string& name, const std::string& description);

  /// Adds `train`. The caller adds the flags, those of add_train_flags() among them; `make` is called
  /// when they are final.
  Verb& add_train(TrainFlags& flags, std::function<std::unique_ptr<Trainable>()> make);
  /// Adds a verb that takes a run folder (or one of its checkpoints) as RUN. When `body` is called,
  /// the flags of `train` hold the run's settings. `run` and `compute` must outlive the program.
  Verb& add_reader(const std::string& name, const std::string& help, std::string& run,
                   ComputeFlags& compute, std::function<int(const TrainedRun&)> body);
  /// Adds a verb that does something else.
  Verb& add_verb(const std::string& name, const std::string& help, ComputeFlags& compute,
                 std::function<int()> body);
  /// Opens a run or checkpoint, for verbs of add_verb(); `verb` is the one that wants it. DataError
  /// when anything is missing or damaged.
  TrainedRun open(const std::string& run, const Verb& verb);

  /// Parses the command line and runs the verb: returns the exit code. Errors are thrown.
  int run(int argc, const char* const* argv);

 private:
  std::string name_;
  CommandLine line_;
  Verb* train_ = nullptr;
  std::vector<std::pair<const Verb*, std::function<int()>>> bodies_;
};

}  // namespace genera::zoo
