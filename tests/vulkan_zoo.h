/// Training steps of the zoo's models on Vulkan beside the CPU's: one program per family, since families use the same names.
#pragma once

#include "zoo/common/command_line.h"
#include "zoo/common/train_verb.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace genera::zoo {

/// A model as the program's `train` would make it.
struct ZooCase {
  std::string flags;          ///< "--model mlp --hidden 16"
  bool in_every_run = false;  ///< false: only with GENERA_TEST_FULL
};

/// A family: what the mechanism must know of it.
struct ZooFamily {
  std::string program;  ///< "genera-vae"
  std::vector<ZooCase> cases;
  std::vector<std::string> without_steps;  ///< of --model: those that count, and train nothing
  /// UsageError where the flags are wrong.
  std::function<std::unique_ptr<Trainable>(const std::vector<std::string>& flags)> make;
};

/// The family of this program.
const ZooFamily& zoo_family();

/// What the flags stand for, on small generated data.
template <class Model, class Settings>
std::unique_ptr<Trainable> trainable_of(const std::vector<std::string>& flags) {
  Settings settings;
  CommandLine line("vulkan_zoo", "");
  add_flags(line.verb("train", ""), settings);
  std::vector<const char*> words{"vulkan_zoo", "train", "--smoke"};
  for (const std::string& flag : flags) words.push_back(flag.c_str());
  line.parse(static_cast<int>(words.size()), words.data());
  return std::make_unique<Model>(settings);
}

}  // namespace genera::zoo
