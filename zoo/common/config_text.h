/// The text of configuration files: TOML, as far as options need it. Every line is `name = value`,
/// a comment or blank; there are no tables and no lists.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace genera::zoo {

struct ConfigEntry {
  std::string name;
  std::string value;
};

/// The entries in their order. UsageError, which begins with `source` and the line's number, for a
/// line of another form and for a name that stands there twice.
std::vector<ConfigEntry> parse_config(std::string_view text, const std::string& source);

/// The entries of a file, which may be a pipe, of up to 1 MiB. UsageError also when it cannot be
/// read.
std::vector<ConfigEntry> read_config(const std::filesystem::path& path);

/// `name = value` as a line that parse_config() reads back, whatever the value is made of. Numbers
/// and truth values stand without quotes.
std::string config_line(std::string_view name, std::string_view value);

}  // namespace genera::zoo
