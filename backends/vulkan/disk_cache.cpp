#include "backends/vulkan/disk_cache.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
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

}  // namespace

DiskCache& DiskCache::instance() {
  static auto* cache = new DiskCache(default_folder());
  return *cache;
}

std::vector<std::uint32_t> DiskCache::find(const std::string& key) {
  if (folder_.empty()) return {};
  std::ifstream file(folder_ + "/" + key, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto bytes = static_cast<std::uint64_t>(file.tellg());
  file.seekg(0);
  Header header;
  std::vector<std::uint32_t> words;
  if (bytes > sizeof header && (bytes - sizeof header) % sizeof(std::uint32_t) == 0) {
    words.resize((bytes - sizeof header) / sizeof(std::uint32_t));
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    file.read(reinterpret_cast<char*>(words.data()),
              static_cast<std::streamsize>(words.size() * sizeof(std::uint32_t)));
    const Header expected = header_of(key, words);
    if (file && std::memcmp(&header, &expected, sizeof header) == 0) return words;
  }
  ++corrupt_;
  return {};
}

void DiskCache::insert(const std::string& key, const std::vector<std::uint32_t>& words) {
  if (folder_.empty()) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  // Written beside and renamed: readers see a whole file or none.
  static int number = 0;
  const std::string path = folder_ + "/" + key;
  const std::string temporary = fmt::format("{}.{}-{}", path, getpid(), number++);
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
  fs::rename(temporary, path, error);
  if (error) fs::remove(temporary, error);
}

}  // namespace genera::vulkan
