/// A file that grows while a program runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace genera::zoo {

class Console;

/// A log file. What cannot be written is kept and tried again with the next flush(), so that after a
/// full disk the file goes on without a hole.
class AppendedFile {
 public:
  /// Goes on after the first `kept_bytes` of the file, if there is one; the rest of it is cut off.
  AppendedFile(std::filesystem::path path, std::int64_t kept_bytes, Console& console);

  void add(std::string_view bytes) { pending_ += bytes; }
  /// Writes what is pending; false, with a warning, when that fails.
  bool flush();

 private:
  std::filesystem::path path_;
  Console& console_;
  std::string pending_;
  std::int64_t written_bytes_;
};

}  // namespace genera::zoo
