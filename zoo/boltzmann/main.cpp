// genera-boltzmann: Boltzmann machines. The verbs are thin: what they do is in the files named like
// it.

#include <fmt/core.h>

#include "zoo/boltzmann/experiment.h"
#include "zoo/common/failure.h"
#include "zoo/common/train_verb.h"

namespace genera::zoo {
namespace {

constexpr const char* program = "genera-boltzmann";

int run(int argc, char** argv) {
  CommandLine line(program, "Boltzmann machines: trains them, samples from them, measures them");
  BoltzmannSettings settings;
  Verb& train = line.verb("train", "Trains a model; the run folder holds all that comes of it");
  add_flags(train, settings);
  const Verb* chosen = line.parse(argc, argv);
  if (chosen == nullptr) return exit_done;
  return train_verb(program, train, settings.train,
                    [&] { return std::make_unique<BoltzmannExperiment>(settings); });
}

}  // namespace
}  // namespace genera::zoo

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-boltzmann", [&] { return genera::zoo::run(argc, argv); });
}
