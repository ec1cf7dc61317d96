// What the Vulkan backend does on the host's side: which device it chooses, and the cache of shaders on disk. No device is needed.
#include <doctest/doctest.h>
#include <genera/error.h>

#include "backends/device_choice.h"
#include "backends/vulkan/disk_cache.h"
#include "engine/core/warning.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace genera {
namespace {

namespace fs = std::filesystem;
using vulkan::DiskCache;

const DeviceInfo discrete{"Radiant X 900", "discrete", "", {}},
    integrated{"Iris Graphics", "integrated", "", {}}, guest{"Virtual GPU", "virtual", "", {}},
    processor{"llvmpipe (LLVM 15)", "cpu", "", {}}, odd{"Something", "other", "", {}},
    old{"Radiant X 100", "discrete", "its driver is for Vulkan 1.1.0, Genera needs 1.3", {}};

std::string error_of(const std::vector<DeviceInfo>& devices, std::string_view selector) {
  try {
    choose_device(devices, selector);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return {};
}

/// 32 hexadecimal digits and more, as the compiler's keys are.
std::string key_of(int number) { return fmt::format("{:032x}-shader", number); }

std::vector<std::uint32_t> words_of(int number, std::size_t count = 100) {
  return std::vector<std::uint32_t>(count, static_cast<std::uint32_t>(number) * 2654435761u + 1);
}

std::vector<fs::path> files_of(const test::TemporaryFolder& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder.path())) files.push_back(entry.path());
  return files;
}

std::uint64_t bytes_in(const test::TemporaryFolder& folder) {
  std::uint64_t bytes = 0;
  for (const fs::path& file : files_of(folder)) bytes += fs::file_size(file);
  return bytes;
}

/// Counts warnings while it lives.
class Warnings {
 public:
  Warnings() {
    hand_warnings_to([this](std::string_view text) { texts.emplace_back(text); });
  }
  ~Warnings() { hand_warnings_to({}); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  std::vector<std::string> texts;
};

}  // namespace

TEST_CASE("device choice: discrete, integrated, virtual, then a driver for the processor") {
  CHECK(choose_device(std::vector{odd, processor, guest, integrated, discrete}, "") == 4);
  CHECK(choose_device(std::vector{processor, guest, integrated}, "") == 2);
  CHECK(choose_device(std::vector{processor, guest}, "") == 1);
  CHECK(choose_device(std::vector{odd, processor}, "") == 1);
  CHECK(choose_device(std::vector{integrated, discrete, discrete}, "") ==
        1);  // the first of equals
}

TEST_CASE("device choice: what cannot be used comes last, and is refused with the reason") {
  CHECK(choose_device(std::vector{old, processor}, "") == 1);
  CHECK(choose_device(std::vector{old, integrated}, "") == 1);
  for (const char* selector : {"", "0", "X 100"}) {
    INFO(selector);
    CHECK(
        error_of({old}, selector) ==
        "[vulkan] Radiant X 100 cannot be used: its driver is for Vulkan 1.1.0, Genera needs 1.3");
  }
}

TEST_CASE("device choice: by number and by name") {
  const std::vector devices{processor, discrete, integrated};
  CHECK(choose_device(devices, "0") == 0);
  CHECK(choose_device(devices, "2") == 2);
  CHECK(choose_device(devices, "Iris") == 2);
  CHECK(choose_device(devices, "radiant x") == 1);
  CHECK(choose_device(devices, "LLVMPIPE") == 0);
  const std::string all =
      "vulkan:0 (llvmpipe (LLVM 15)), vulkan:1 (Radiant X 900), vulkan:2 (Iris Graphics)";
  CHECK(error_of(devices, "3") == "[vulkan] there is no device 3; there are: " + all);
  CHECK(error_of(devices, "99999999999999999999").find("no device has '9999") != std::string::npos);
  CHECK(error_of(devices, "abacus") ==
        "[vulkan] no device has 'abacus' in its name; there are: " + all);
  CHECK(error_of({}, "").find("no driver has a device") != std::string::npos);
}

TEST_CASE("device choice: auto takes GPUs that can be used, never a driver for the processor") {
  CHECK(best_gpu(std::vector{processor, guest}) == 1);
  CHECK(best_gpu(std::vector{processor, guest, discrete}) == 2);
  CHECK(best_gpu(std::vector{old, integrated}) == 1);
  CHECK_FALSE(best_gpu(std::vector{processor}));
  CHECK_FALSE(best_gpu(std::vector{old, processor}));
  CHECK_FALSE(best_gpu(std::vector{old}));
  CHECK_FALSE(best_gpu(std::vector{odd}));
  CHECK_FALSE(best_gpu({}));
}

TEST_CASE("shader cache: what was inserted is found, by another object too") {
  const test::TemporaryFolder folder;
  DiskCache(folder.string()).insert(key_of(1), words_of(1));
  DiskCache cache(folder.string());
  CHECK(cache.find(key_of(1)) == words_of(1));
  CHECK(cache.find(key_of(2)).empty());
  CHECK(cache.corrupt() == 0);
  CHECK(folder.files() == 1);
}

TEST_CASE("shader cache: damaged files are discarded with one warning, and made again") {
  const test::TemporaryFolder folder;
  const Warnings warnings;
  DiskCache cache(folder.string());
  const auto size = [] { return 40 + 4 * words_of(1).size(); };
  const std::vector<std::pair<const char*, std::function<void(const fs::path&)>>> damages{
      {"empty", [](const fs::path& file) { fs::resize_file(file, 0); }},
      {"cut within the header", [](const fs::path& file) { fs::resize_file(file, 39); }},
      {"header alone", [](const fs::path& file) { fs::resize_file(file, 40); }},
      {"cut", [&](const fs::path& file) { fs::resize_file(file, size() - 4); }},
      {"cut within a word", [&](const fs::path& file) { fs::resize_file(file, size() - 1); }},
      {"longer", [&](const fs::path& file) { fs::resize_file(file, size() + 4); }},
      {"a terabyte", [](const fs::path& file) { fs::resize_file(file, std::uintmax_t{1} << 40); }},
  };
  std::uint64_t corrupt = 0;
  const auto check_rebuilt = [&](const char* what) {
    INFO(what);
    CHECK(cache.find(key_of(1)).empty());
    CHECK(cache.corrupt() == ++corrupt);
    CHECK(folder.files() == 0);
    cache.insert(key_of(1), words_of(1));
    CHECK(cache.find(key_of(1)) == words_of(1));
  };
  cache.insert(key_of(1), words_of(1));
  for (const auto& [what, damage] : damages) {
    damage(files_of(folder).at(0));
    check_rebuilt(what);
  }
  for (std::size_t at = 0; at < size(); at += at < 40 ? 1 : 37) {  // every byte of the header
    std::fstream file(files_of(folder).at(0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(byte ^ 4));
    file.close();
    check_rebuilt("a flipped bit");
  }
  fs::copy_file(files_of(folder).at(0), files_of(folder).at(0).parent_path() / "other");
  fs::rename(folder / "other", folder / (key_of(2) + ".spv"));
  CHECK(cache.find(key_of(2)).empty());  // another key's content
  CHECK(warnings.texts.size() == 1);
  CHECK(warnings.texts.at(0).find("damaged") != std::string::npos);
}

TEST_CASE("shader cache: what is no file is discarded, and nobody waits for it") {
  const test::TemporaryFolder folder;
  const Warnings warnings;
  DiskCache cache(folder.string());
  const fs::path path = folder / (key_of(1) + ".spv");
  const std::vector<std::function<void()>> others{
      [&] { REQUIRE(mkfifo(path.c_str(), 0600) == 0); },
      [&] { fs::create_directory(path); },
      [&] { fs::create_symlink("/dev/zero", path); },
  };
  for (const auto& make : others) {
    make();
    CHECK(cache.find(key_of(1)).empty());
    cache.insert(key_of(1), words_of(1));
    CHECK(cache.find(key_of(1)) == words_of(1));
    fs::remove(path);
  }
  CHECK(cache.corrupt() == others.size());
  CHECK(warnings.texts.size() == 1);
}

TEST_CASE("shader cache: beyond its bound, what was used longest ago goes; other files stay") {
  const test::TemporaryFolder folder;
  constexpr std::uint64_t most = 64 << 10;
  DiskCache cache(folder.string(), most);
  std::ofstream(folder / "letter.spv") << std::string(100000, 'x');
  std::ofstream(folder / (key_of(3) + ".1-1.tmp")) << "half written by a process that died";
  std::ofstream(folder / (key_of(4) + ".1-2.tmp")) << "being written";
  const auto hour = std::chrono::hours(2);
  fs::last_write_time(folder / (key_of(3) + ".1-1.tmp"), fs::file_time_type::clock::now() - hour);
  const auto age = [&](int number, int minutes) {
    const fs::path file = folder / (key_of(number) + ".spv");
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
  };
  for (int i = 10; i < 200; ++i) {
    cache.insert(key_of(i), words_of(i, 500));
    if (i > 10) age(i - 1, 1000 - i);             // the later, the younger
    CHECK_FALSE(cache.find(key_of(10)).empty());  // asked for again and again: stays
  }
  CHECK(bytes_in(folder) - 100000 <= most + most / 8);
  CHECK(bytes_in(folder) - 100000 > most / 2);
  CHECK(cache.find(key_of(199)) == words_of(199, 500));
  CHECK(cache.find(key_of(11)).empty());
  CHECK(fs::exists(folder / "letter.spv"));
  CHECK_FALSE(fs::exists(folder / (key_of(3) + ".1-1.tmp")));
  CHECK(fs::exists(folder / (key_of(4) + ".1-2.tmp")));
  CHECK(cache.corrupt() == 0);
}

TEST_CASE("shader cache: a folder that cannot be written is no error, none keeps nothing") {
  DiskCache nowhere("/dev/null/shaders"), none("");
  for (DiskCache* cache : {&nowhere, &none}) {
    cache->insert(key_of(1), words_of(1));
    CHECK(cache->find(key_of(1)).empty());
    CHECK(cache->corrupt() == 0);
  }
}

TEST_CASE("shader cache: many writers and readers see whole files or none") {
  const test::TemporaryFolder folder;
  const Warnings warnings;
  std::atomic<int> wrong{0}, found{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      DiskCache cache(folder.string(),
                      40 << 10);  // as a process of its own, trimming all the while
      for (int i = 0; i < 400; ++i) {
        // Every other access is to one of three files, which the trims therefore keep; the rest cycle
        // through more files than there is room for.
        const int number = i % 2 == 0 ? i / 2 % 3 : 3 + (i * 7 + t) % 20;
        const auto words = cache.find(key_of(number));
        if (words.empty())
          cache.insert(key_of(number), words_of(number, 900));
        else
          ++(words == words_of(number, 900) ? found : wrong);
      }
      wrong += static_cast<int>(cache.corrupt());
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(found.load() > 100);
  CHECK(warnings.texts.empty());
}

}  // namespace genera
