#include "backends/vulkan/disk_cache.h"

#include "engine/core/warning.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

namespace genera::vulkan {
namespace {

namespace fs = std::filesystem;

struct Header {
  char magic[8] = {'g', 'e', 'n', 'e', 'r', 'a', 's', 'v'};
  std::uint64_t version = 1;
  std::uint64_t key = 0;
  std::uint64_t words = 0;
  std::uint64_t checksum = 0;
};

std::string default_folder() {
  if (const char* given = std::getenv("GENERA_SHADER_CACHE")) return given;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    return std::string(cache) + "/genera/shaders";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::string(home) + "/.cache/genera/shaders";
  return {};
}

Header header_of(const std::string& key, const std::vector<std::uint32_t>& words) {
  Header header;
  header.key = XXH3_64bits(key.data(), key.size());
  header.words = words.size();
  header.checksum = XXH3_64bits(words.data(), words.size() * sizeof(std::uint32_t));
  return header;
}

constexpr std::string_view suffix = ".spv", unfinished = ".tmp";
// No shader is as large: what is larger is no shader.
constexpr std::uint64_t largest_file = std::uint64_t{64} << 20;

/// Whether this cache writes files of that name: it may share the folder with others.
bool is_ours(const std::string& name) {
  return name.size() > 32 &&
         std::all_of(name.begin(), name.begin() + 32,
                     [](unsigned char c) { return std::isxdigit(c) != 0; }) &&
         (name.ends_with(suffix) || name.ends_with(unfinished));
}

struct KeptFile {
  fs::path path;
  fs::file_time_type used;
  std::uint64_t bytes;
};

/// All that this cache wrote there, what was used last at the end.
std::vector<KeptFile> files_in(const std::string& folder) {
  std::vector<KeptFile> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (!is_ours(it->path().filename().string())) continue;
    std::error_code gone;  // another process removes files too
    const fs::file_time_type used = fs::last_write_time(it->path(), gone);
    const std::uint64_t bytes = gone ? 0 : fs::file_size(it->path(), gone);
    if (!gone) files.push_back({it->path(), used, bytes});
  }
  std::sort(files.begin(), files.end(),
            [](const KeptFile& a, const KeptFile& b) { return a.used < b.used; });
  return files;
}

}  // namespace

DiskCache& DiskCache::instance() {
  static auto* cache = new DiskCache(default_folder());
  return *cache;
}

DiskCache::DiskCache(std::string folder, std::uint64_t most_bytes)
    : folder_(std::move(folder)), most_bytes_(most_bytes) {}

std::string DiskCache::path_of(const std::string& key) const {
  return fmt::format("{}/{}{}", folder_, key, suffix);
}

std::vector<std::uint32_t> DiskCache::find(const std::string& key) {
  if (folder_.empty()) return {};
  const std::string path = path_of(key);
  std::error_code unknown;
  const fs::file_type type = fs::status(path, unknown).type();
  if (type == fs::file_type::not_found) return {};
  if (type != fs::file_type::regular) {  // opening a pipe would wait for its writer
    discard(path);
    return {};
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto bytes = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  Header header;
  std::vector<std::uint32_t> words;
  if (bytes > sizeof header && bytes <= largest_file &&
      (bytes - sizeof header) % sizeof(std::uint32_t) == 0) {
    words.resize((bytes - sizeof header) / sizeof(std::uint32_t));
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    file.read(reinterpret_cast<char*>(words.data()),
              static_cast<std::streamsize>(words.size() * sizeof(std::uint32_t)));
    const Header expected = header_of(key, words);
    if (file && std::memcmp(&header, &expected, sizeof header) == 0) {
      std::error_code ignored;  // a folder that is only read is not trimmed either
      fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
      return words;
    }
  }
  discard(path);
  return {};
}

void DiskCache::discard(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
  if (corrupt_++ == 0)
    warn(fmt::format("the shader cache in {} has damaged files: they are discarded and made again",
                     folder_));
}

void DiskCache::insert(const std::string& key, const std::vector<std::uint32_t>& words) {
  if (folder_.empty()) return;
  std::lock_guard lock(inserting_);
  std::error_code error;
  fs::create_directories(folder_, error);
  const std::uint64_t bytes = sizeof(Header) + words.size() * sizeof(std::uint32_t);
  if (until_trim_ < bytes) trim();
  until_trim_ -= std::min(until_trim_, bytes);
  // Written beside and renamed: readers see a whole file or none.
  static std::atomic<std::uint64_t> written{0};  // by all caches of the process
  const std::string temporary =
      fmt::format("{}/{}.{}-{}{}", folder_, key, getpid(), written++, unfinished);
  {
    std::ofstream file(temporary, std::ios::binary);
    const Header header = header_of(key, words);
    file.write(reinterpret_cast<const char*>(&header), sizeof header);
    file.write(reinterpret_cast<const char*>(words.data()),
               static_cast<std::streamsize>(words.size() * sizeof(std::uint32_t)));
    file.close();
    if (!file) {
      fs::remove(temporary, error);
      return;
    }
  }
  fs::rename(temporary, path_of(key), error);
  if (error) fs::remove(temporary, error);
}

void DiskCache::trim() {
  std::vector<KeptFile> files = files_in(folder_);
  const auto stale = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::uint64_t bytes = 0;
  for (const KeptFile& file : files) bytes += file.bytes;
  const std::uint64_t wanted = bytes > most_bytes_ ? most_bytes_ / 4 * 3 : most_bytes_;
  for (const KeptFile& file : files) {
    const bool abandoned = file.used < stale && file.path.extension() == unfinished;
    if (bytes <= wanted && !abandoned) continue;
    std::error_code ignored;
    fs::remove(file.path, ignored);
    bytes -= file.bytes;
  }
  // Other processes write too: looked at again long before this one alone could pass the bound.
  until_trim_ = std::max((most_bytes_ - std::min(bytes, most_bytes_)) / 4, most_bytes_ / 64);
}

}  // namespace genera::vulkan
