/// Where the files that tests read lie.
#pragma once

#include <cstdlib>
#include <filesystem>

namespace genera::test {

/// This folder: GENERA_TESTS_FOLDER, which `meson test` sets, or seen from the repository's root.
inline std::filesystem::path tests_folder() {
  const char* folder = std::getenv("GENERA_TESTS_FOLDER");
  return folder != nullptr ? folder : "tests";
}

}  // namespace genera::test
