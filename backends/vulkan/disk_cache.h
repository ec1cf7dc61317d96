/// Compiled shaders that outlive the process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace genera::vulkan {

/// One file per module in $GENERA_SHADER_CACHE, else $XDG_CACHE_HOME/genera/shaders, else ~/.cache/genera/shaders; nothing is kept where there is none of them or
/// GENERA_SHADER_CACHE is empty. Files have a header with version, key, length and checksum; one that is not as written counts as
/// missing and is written again. Never throws: a cache that cannot be read or written is only slower.
class DiskCache {
 public:
  static DiskCache& instance();
  explicit DiskCache(std::string folder) : folder_(std::move(folder)) {}

  /// Empty where there is no sound file.
  std::vector<std::uint32_t> find(const std::string& key);
  void insert(const std::string& key, const std::vector<std::uint32_t>& words);
  /// Files that were there and not sound.
  std::uint64_t corrupt() const { return corrupt_; }

 private:
  std::string folder_;
  std::uint64_t corrupt_ = 0;
};

}  // namespace genera::vulkan
