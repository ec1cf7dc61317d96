#include "zoo/vae/trained.h"

#include <fmt/core.h>

#include <charconv>
#include <vector>

#include "zoo/common/failure.h"
#include "zoo/common/saved_states.h"
#include "zoo/common/train_verb.h"

namespace genera::zoo {
namespace {

constexpr std::int64_t largest_extent = 4096;

// "1,28,28", from a file that may say anything.
std::vector<std::int64_t> image_extents(const io::Metadata& metadata, const std::string& file) {
  const auto found = metadata.find("image");
  std::vector<std::int64_t> extents;
  if (found != metadata.end()) {
    const char* at = found->second.data();
    const char* end = at + found->second.size();
    while (at < end) {
      std::int64_t extent = 0;
      const auto [next, error] = std::from_chars(at, end, extent);
      if (error != std::errc{} || extent < 1 || extent > largest_extent) break;
      extents.push_back(extent);
      at = next + (next < end && *next == ',' ? 1 : 0);
      if (next < end && *next != ',') break;
    }
  }
  if (extents.size() != 3)
    throw DataError(fmt::format("{}: does not say the size of its images", file));
  return extents;
}

}  // namespace

TrainedVae open_trained(const std::string& run, Verb& train, VaeSettings& settings) {
  RunFolder folder = RunFolder::open(run);
  train.restore(folder.config());
  const std::string file = folder.checkpoint_to_read().string();
  const io::Checkpoint checkpoint = io::read_checkpoint(file);
  const auto extents = image_extents(checkpoint.metadata, file);
  try {
    VaeObjective objective = make_objective(settings, extents[0], extents[1], extents[2]);
    restore(objective.parameters(), checkpoint.tensors, file);
    return {std::move(folder), settings, std::move(objective), train_command("genera-vae", train),
            checkpoint.metadata};
  } catch (const UsageError& error) {
    throw DataError(fmt::format("{}: {}", file, error.what()));
  }
}

}  // namespace genera::zoo
