#include "zoo/common/json_file.h"

#include <fmt/format.h>
#include <genera/error.h>
#include <genera/io.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace genera::zoo {
namespace {

// A byte of the file must not become much more memory.
std::size_t most_values(std::size_t bytes) {
  return std::min(std::size_t{1} << 21, (std::size_t{1} << 19) + bytes / 16);
}
constexpr std::size_t max_depth = 64;

// Builds the values. nlohmann's own document tree would accept repeated names and turn -1 into a
// large number where an unsigned one is asked for.
class TreeBuilder {
 public:
  TreeBuilder(const JsonFile& file, JsonValue& root, std::size_t bytes)
      : file_(file), root_(root), most_values_(most_values(bytes)) {}

  bool null() { return add({}); }
  bool boolean(bool value) { return add({value}); }
  bool number_integer(std::int64_t value) { return add({value}); }
  bool number_unsigned(std::uint64_t value) {
    if (value >> 63 != 0) file_.fail(fmt::format("the number {} is too large", value));
    return add({static_cast<std::int64_t>(value)});
  }
  bool number_float(double value, const std::string&) { return add({value}); }
  bool string(std::string& value) { return add({std::move(value)}); }
  bool binary(const std::vector<std::uint8_t>&) { file_.fail("binary data is not JSON"); }
  bool start_object(std::size_t) { return open({JsonValue::Object()}); }
  bool start_array(std::size_t) { return open({JsonValue::Array()}); }
  bool end_object() {
    check_names(std::get<JsonValue::Object>(open_.back()->value));
    open_.pop_back();
    return true;
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool key(std::string& name) {
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    file_.fail(fmt::format("offset {}: this is not valid JSON; fetch or save the file again",
                           position == 0 ? 0 : position - 1));
  }

 private:
  JsonValue* place(JsonValue value) {
    if (++values_ > most_values_)
      file_.fail(fmt::format("more than {} values are not supported", most_values_));
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* object = std::get_if<JsonValue::Object>(&open_.back()->value)) {
      object->push_back({std::move(name_), std::move(value)});
      return &object->back().value;
    }
    auto& array = std::get<JsonValue::Array>(open_.back()->value);
    array.push_back(std::move(value));
    return &array.back();
  }

  bool add(JsonValue value) {
    place(std::move(value));
    return true;
  }

  bool open(JsonValue value) {
    if (open_.size() == max_depth)
      file_.fail(fmt::format("more than {} levels are not supported", max_depth));
    // Only the last element of an open value is ever open itself, so no pointer here moves.
    open_.push_back(place(std::move(value)));
    return true;
  }

  void check_names(const JsonValue::Object& object) const {
    std::unordered_set<std::string_view> names;
    for (const JsonValue::Member& member : object)
      if (!names.insert(member.name).second)
        file_.fail(fmt::format("the name '{}' is there twice", member.name));
  }

  const JsonFile& file_;
  JsonValue& root_;
  std::vector<JsonValue*> open_;
  std::string name_;
  std::size_t most_values_;
  std::size_t values_ = 0;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  const auto* object = as<Object>();
  if (object == nullptr) return nullptr;
  for (const Member& member : *object)
    if (member.name == name)
      return member.value.as<std::monostate>() != nullptr ? nullptr : &member.value;
  return nullptr;
}

JsonFile::JsonFile(const std::filesystem::path& path) {
  const io::BinaryFile file("read_json", path);
  name_ = path.native();
  constexpr std::int64_t most = std::int64_t{256} << 20;
  if (file.size() > most)
    fail(fmt::format("{} bytes are too many for JSON (at most {})", file.size(), most));
  const std::vector<std::byte> bytes = file.read(0, file.size());
  parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

JsonFile::JsonFile(std::string_view text, std::string name) : name_(std::move(name)) {
  parse(text);
}

void JsonFile::parse(std::string_view text) {
  TreeBuilder builder(*this, root_, text.size());
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
}

template <class T>
const T* JsonFile::member(const JsonValue& object, std::string_view name, std::string_view kind,
                          bool required) const {
  const JsonValue* found = object.find(name);
  if (found == nullptr) {
    if (required) fail(fmt::format("'{}' is missing; is this the right file?", name));
    return nullptr;
  }
  const T* value = found->as<T>();
  if (value == nullptr) fail(fmt::format("'{}' must be {}", name, kind));
  return value;
}

std::int64_t JsonFile::integer(const JsonValue& object, std::string_view name, std::int64_t low,
                               std::int64_t high, std::optional<std::int64_t> otherwise) const {
  const auto* value = member<std::int64_t>(object, name, "an integer", !otherwise);
  if (value == nullptr) return *otherwise;
  if (*value < low || *value > high)
    fail(fmt::format("'{}' is {}, which is not in {} to {}", name, *value, low, high));
  return *value;
}

double JsonFile::real(const JsonValue& object, std::string_view name,
                      std::optional<double> otherwise) const {
  const JsonValue* found = object.find(name);
  if (found != nullptr && found->as<std::int64_t>() != nullptr)
    return static_cast<double>(*found->as<std::int64_t>());
  const auto* value = member<double>(object, name, "a number", !otherwise);
  return value == nullptr ? *otherwise : *value;
}

bool JsonFile::boolean(const JsonValue& object, std::string_view name, bool otherwise) const {
  const auto* value = member<bool>(object, name, "true or false", false);
  return value == nullptr ? otherwise : *value;
}

std::string JsonFile::text(const JsonValue& object, std::string_view name,
                           std::optional<std::string> otherwise) const {
  const auto* value = member<std::string>(object, name, "a text", !otherwise);
  return value == nullptr ? *otherwise : *value;
}

const JsonValue::Array& JsonFile::array(const JsonValue& object, std::string_view name) const {
  return *member<JsonValue::Array>(object, name, "an array", true);
}

const JsonValue::Object& JsonFile::members(const JsonValue& object, std::string_view name) const {
  return *member<JsonValue::Object>(object, name, "an object", true);
}

void JsonFile::fail(std::string_view problem) const {
  io::BinaryFile("read_json", std::span<const std::byte>(), name_).fail(problem);
}

}  // namespace genera::zoo
