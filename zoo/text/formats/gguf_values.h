/// The metadata of a GGUF file, by key, with complaints.
#pragma once

#include <genera/io.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace genera::zoo::text {

/// The file must outlive it. DataErrors name the file and the key.
class GgufValues {
 public:
  explicit GgufValues(const io::GgufFile& file) : file_(file) {}

  const std::string& name() const { return file_.file_name(); }
  bool has(std::string_view key) const { return file_.metadata().contains(key); }

  // Without a default a missing key is a DataError; so are a value of another kind and one out of
  // range.
  std::int64_t integer(std::string_view key, std::int64_t low, std::int64_t high,
                       std::optional<std::int64_t> otherwise = {}) const;
  double real(std::string_view key, std::optional<double> otherwise = {}) const;
  bool boolean(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key, std::optional<std::string> otherwise = {}) const;

  /// nullptr if there is no such key; DataError if its value is of another kind.
  template <class T>
  const T* find(std::string_view key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) return nullptr;
    const auto* value = std::get_if<T>(&found->second);
    if (value == nullptr) fail("'" + std::string(key) + "' is a value of another kind");
    return value;
  }
  /// The array under a key.
  template <class T>
  const std::vector<T>& list(std::string_view key) const {
    const auto* values = find<std::vector<T>>(key);
    if (values == nullptr) missing(key);
    return *values;
  }

  /// Throws the DataError "[read_gguf] file: problem" on one line.
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  [[noreturn]] void missing(std::string_view key) const;

  const io::GgufFile& file_;
};

}  // namespace genera::zoo::text
