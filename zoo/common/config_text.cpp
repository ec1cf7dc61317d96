#include "zoo/common/config_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <fstream>

#include "zoo/common/console.h"
#include "zoo/common/failure.h"

namespace genera::zoo {
namespace {

constexpr std::string_view blanks = " \t\r";
/// Escapes of one letter, each behind what it stands for.
constexpr std::string_view escapes = "\"\"\\\\\bb\tt\nn\ff\rr";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

void append_utf8(std::string& to, std::uint32_t code) {
  const auto tail = [&](int shift) { to += static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xc0 | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    to += static_cast<char>(0xe0 | code >> 12);
    tail(6), tail(0);
  } else {
    to += static_cast<char>(0xf0 | code >> 18);
    tail(12), tail(6), tail(0);
  }
}

/// Reads one line's value.
class ValueReader {
 public:
  ValueReader(std::string_view text, std::string where) : rest_(text), where_(std::move(where)) {}

  std::string read() {
    std::string value;
    if (rest_.starts_with('"')) {
      value = basic_string();
    } else if (rest_.starts_with('\'')) {
      const std::size_t end = rest_.find('\'', 1);
      if (end == std::string_view::npos) fail("its quotes are not closed");
      value = rest_.substr(1, end - 1);
      rest_.remove_prefix(end + 1);
    } else {
      const std::size_t end = std::min(rest_.find('#'), rest_.size());
      value = trimmed(rest_.substr(0, end));
      rest_.remove_prefix(end);
      if (value.empty() || value.find_first_of(" \t,'\"[]{}") != std::string::npos)
        fail("needs one value; texts stand in quotes");
    }
    rest_ = trimmed(rest_);
    if (!rest_.empty() && rest_.front() != '#') fail("has more than one value");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view problem) const {
    throw UsageError(fmt::format("{} {}", where_, problem));
  }

  std::string basic_string() {
    std::string value;
    for (rest_.remove_prefix(1); !rest_.empty();) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\')
        escape(value);
      else
        value += c;
    }
    fail("its quotes are not closed");
  }

  /// What follows a backslash.
  void escape(std::string& value) {
    const char letter = rest_.empty() ? '\0' : rest_.front();
    const std::size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    if (digits > 0) {
      std::uint32_t code = 0;
      const std::string_view hex = rest_.substr(1, digits);
      const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
      if (hex.size() == digits && error == std::errc{} && end == hex.data() + digits &&
          code < 0x110000) {
        append_utf8(value, code);
        rest_.remove_prefix(1 + digits);
        return;
      }
    } else {
      for (std::size_t i = 0; i < escapes.size(); i += 2)
        if (escapes[i + 1] == letter) {
          value += escapes[i];
          rest_.remove_prefix(1);
          return;
        }
    }
    fail("has an escape that TOML does not know; a backslash is written twice");
  }

  std::string_view rest_;
  std::string where_;
};

bool stands_bare(std::string_view value) {
  if (value == "true" || value == "false") return true;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc{} && end == value.data() + value.size();
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

}  // namespace

std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& source) {
  std::vector<ConfigEntry> entries;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = fmt::format("{}: line {}:", source, number);
    const std::size_t equals = line.find('=');
    const std::string_view name = trimmed(line.substr(0, equals));
    if (equals == std::string_view::npos || !is_name(name))
      throw UsageError(
          fmt::format("{} '{}' is not of the form: name = value", where, printable(line)));
    const auto same = [&](const ConfigEntry& entry) { return entry.name == name; };
    if (std::any_of(entries.begin(), entries.end(), same))
      throw UsageError(fmt::format("{} '{}' stands there twice", where, name));
    ValueReader value(trimmed(line.substr(equals + 1)), fmt::format("{} '{}'", where, name));
    entries.push_back({std::string(name), value.read()});
  }
  return entries;
}

std::vector<ConfigEntry> read_config(const std::filesystem::path& path) {
  constexpr std::size_t most = std::size_t{1} << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text(most + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  std::error_code ignored;
  if (!file.is_open() || file.bad() || std::filesystem::is_directory(path, ignored))
    throw UsageError(fmt::format("configuration file {} cannot be read", path.string()));
  if (text.size() > most)
    throw UsageError(
        fmt::format("configuration file {} is longer than {} bytes", path.string(), most));
  return parse_config(text, path.string());
}

std::string config_line(std::string_view name, std::string_view value) {
  if (stands_bare(value)) return fmt::format("{} = {}\n", name, value);
  std::string quoted;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    std::size_t i = 0;
    while (i < escapes.size() && escapes[i] != c) i += 2;
    if (i < escapes.size())
      quoted += {'\\', escapes[i + 1]};
    else if (byte < 0x20 || byte == 0x7f)
      quoted += fmt::format("\\u{:04x}", byte);
    else
      quoted += c;
  }
  return fmt::format("{} = \"{}\"\n", name, quoted);
}

}  // namespace genera::zoo
