/// Compiled shaders that outlive the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace genera::vulkan {

/// One file per module. Files have a header with version, key, length and checksum; what is not as written is discarded, with one warning per process, and counts as
/// missing. Any number of processes may share a folder: files are written beside and renamed. Never throws: a cache that
/// cannot be read or written is only slower.
class DiskCache {
 public:
  /// In $GENERA_SHADER_CACHE, else $XDG_CACHE_HOME/genera/shaders, else ~/.cache/genera/shaders; nothing is kept where there is none of
  /// them or GENERA_SHADER_CACHE is empty.
  static DiskCache& instance();
  /// Keeps about `most_bytes` bytes at most: beyond, what was not asked for the longest time goes, until a quarter is free.
  explicit DiskCache(std::string folder, std::uint64_t most_bytes = std::uint64_t{256} << 20);

  /// Empty where there is no sound file. `key` begins with 32 hexadecimal digits and is fit for a file's name.
  std::vector<std::uint32_t> find(const std::string& key);
  void insert(const std::string& key, const std::vector<std::uint32_t>& words);
  /// Where files are kept; empty where none are.
  const std::string& folder() const { return folder_; }
  /// Files that were there and not sound.
  std::uint64_t corrupt() const { return corrupt_; }

 private:
  std::string path_of(const std::string& key) const;
  void discard(const std::string& path);
  void trim();

  std::string folder_;
  std::uint64_t most_bytes_;
  std::mutex inserting_;
  std::uint64_t until_trim_ = 0;  // bytes that may be written before the folder is looked at again
  std::atomic<std::uint64_t> corrupt_{0};
};

}  // namespace genera::vulkan
