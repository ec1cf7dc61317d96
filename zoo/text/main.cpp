// genera-text: language models.
#include "zoo/common/command_line.h"
#include "zoo/common/failure.h"
#include "zoo/common/train_verb.h"
#include "zoo/text/experiment.h"

namespace genera::zoo {
namespace {
int run(int argc, char** argv) {
  CommandLine line("genera-text", "Language models: trains them, samples from them, measures them");
  TextSettings settings;
  Verb& train = line.verb("train", "Trains a model");
  add_flags(train, settings);
  const Verb* chosen = line.parse(argc, argv);
  if (chosen == nullptr) return exit_done;
  return train_verb("genera-text", train, settings.train, [&] {
    settings.train.data = absolute_text(settings.train.data);
    return std::make_unique<TextExperiment>(settings);
  });
}
}  // namespace
}  // namespace genera::zoo

int main(int argc, char** argv) {
  return genera::zoo::run_program("genera-text", [&] { return genera::zoo::run(argc, argv); });
}
