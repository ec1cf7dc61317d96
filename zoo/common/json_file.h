/// JSON from outside (RFC 8259): configurations and vocabularies in other programs' files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace genera::zoo {

/// A JSON value.
struct JsonValue {
  struct Member;
  using Array = std::vector<JsonValue>;
  using Object = std::vector<Member>;  // in the order of the file, no name twice

  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value;

  /// The member of that name; nullptr if there is none, if it is null, and if this is no object.
  const JsonValue* find(std::string_view name) const;
  /// nullptr if the value is of another kind.
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }
};

struct JsonValue::Member {
  std::string name;
  JsonValue value;
};

/// A document, and how to complain about it. Repeated names, more than 64 levels, numbers beyond
/// 64 bits and anything that is not JSON are DataErrors of one line with the offset.
class JsonFile {
 public:
  /// Files of up to 256 MiB.
  explicit JsonFile(const std::filesystem::path& path);
  /// `name` stands for the file in messages.
  JsonFile(std::string_view text, std::string name);

  const JsonValue& root() const { return root_; }
  const std::string& name() const { return name_; }

  // Members of an object. Missing and null are the same: DataError without a default; so are a
  // value of another kind and one out of range.
  std::int64_t integer(const JsonValue& object, std::string_view name, std::int64_t low,
                       std::int64_t high, std::optional<std::int64_t> otherwise = {}) const;
  double real(const JsonValue& object, std::string_view name,
              std::optional<double> otherwise = {}) const;
  bool boolean(const JsonValue& object, std::string_view name, bool otherwise) const;
  std::string text(const JsonValue& object, std::string_view name,
                   std::optional<std::string> otherwise = {}) const;
  const JsonValue::Array& array(const JsonValue& object, std::string_view name) const;
  const JsonValue::Object& members(const JsonValue& object, std::string_view name) const;

  /// Throws the DataError "[read_json] file: problem" on one line.
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  template <class T>
  const T* member(const JsonValue& object, std::string_view name, std::string_view kind,
                  bool required) const;
  void parse(std::string_view text);

  std::string name_;
  JsonValue root_;
};

}  // namespace genera::zoo
