/// A VAE that was trained before, read from its run folder.
#pragma once

#include <genera/io.h>

#include <string>

#include "zoo/common/command_line.h"
#include "zoo/common/run_folder.h"
#include "zoo/vae/settings.h"

namespace genera::zoo {

struct TrainedVae {
  RunFolder folder;
  VaeSettings settings;
  VaeObjective objective;
  std::string command;    ///< that makes the run again, into the folder RUN
  io::Metadata metadata;  ///< of the checkpoint: step, best_loss, image
};

/// Opens a run folder (its best checkpoint) or one checkpoint in it. `settings` are those that
/// `train`, the verb of training runs, writes into. DataError when anything is missing or damaged.
TrainedVae open_trained(const std::string& run, Verb& train, VaeSettings& settings);

}  // namespace genera::zoo
