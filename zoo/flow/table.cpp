#include "zoo/flow/table.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "zoo/common/console.h"

namespace genera::zoo::flow {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_columns = 4096;
constexpr std::size_t longest_shown = 40;

// Where in the file something stands.
struct Place {
  const std::string& file;
  std::size_t line = 0;
  std::size_t offset = 0;

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}: line {} (byte {}): {}", file, line, offset, what));
  }
};

std::string whole_file(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw DataError(fmt::format("{}: no such file", path.string()));
  if (!fs::is_regular_file(status))
    throw DataError(fmt::format("{}: is not a file of CSV lines", path.string()));
  std::string text(static_cast<std::size_t>(fs::file_size(path)), '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file) throw DataError(fmt::format("{}: cannot be read to its end", path.string()));
  return text;
}

// Fields of a line, without their quotes; two quotes within quotes are one.
std::vector<std::string> fields_of(std::string_view line, char separator, const Place& place) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[++i];
      else
        quoted = !quoted;
    } else if (c == separator && !quoted) {
      if (fields.size() == most_columns)
        place.fail(fmt::format("more than {} columns", most_columns));
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) place.fail("a quoted field does not end on its line");
  return fields;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<double> number(std::string_view text) {
  text = trimmed(text);
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return value;
}

// What a quoted name holds separates nothing.
char separator_of(std::string_view line) {
  std::string unquoted;
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    if (!quoted) unquoted += c;
  }
  char best = ',';
  std::ptrdiff_t most = 0;
  for (const char candidate : {',', ';', '\t'}) {
    const auto count = std::count(unquoted.begin(), unquoted.end(), candidate);
    if (count > most) {
      best = candidate;
      most = count;
    }
  }
  return best;
}

// Goes through the lines of a text; blank ones are skipped.
class Lines {
 public:
  Lines(std::string_view text, const std::string& file) : text_(text), place_{file} {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text_.starts_with(byte_order_mark)) at_ = byte_order_mark.size();
  }
  bool next(std::string_view& line) {
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      place_.offset = at_;
      ++place_.line;
      line = text_.substr(at_, end - at_);
      at_ = end + 1;
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!trimmed(line).empty()) return true;
    }
    return false;
  }
  const Place& place() const { return place_; }

 private:
  std::string_view text_;
  Place place_;
  std::size_t at_ = 0;
};

bool all_numbers(const std::vector<std::string>& fields) {
  return std::all_of(fields.begin(), fields.end(),
                     [](const std::string& field) { return number(field).has_value(); });
}

void append_row(Table& table, const std::vector<std::string>& fields, const Place& place) {
  if (fields.size() != table.names.size())
    place.fail(
        fmt::format("{} fields where the first line has {}", fields.size(), table.names.size()));
  for (std::size_t c = 0; c < fields.size(); ++c) {
    const std::string where =
        fmt::format("column {} ('{}')", c + 1, printable(table.names[c].substr(0, longest_shown)));
    if (trimmed(fields[c]).empty())
      place.fail(where + ": the value is missing; fill it in, or remove the row or the column");
    const std::optional<double> value = number(fields[c]);
    if (!value)
      place.fail(fmt::format("{}: '{}' is not a number; encode it as one, or remove the column",
                             where, printable(fields[c].substr(0, longest_shown))));
    const auto stored = static_cast<float>(*value);
    if (!std::isfinite(stored))
      place.fail(fmt::format("{}: {} is not a finite 32-bit number; remove the row", where,
                             printable(fields[c].substr(0, longest_shown))));
    table.columns[c].push_back(stored);
  }
}

}  // namespace

Table read_csv(const fs::path& path) {
  const std::string file = path.string(), text = whole_file(path);
  Lines lines(text, file);
  std::string_view line;
  if (!lines.next(line)) throw DataError(fmt::format("{}: holds no lines", file));
  const char separator = separator_of(line);
  const std::vector<std::string> first = fields_of(line, separator, lines.place());
  Table table;
  table.columns.resize(first.size());
  const bool header = !all_numbers(first);
  for (std::size_t c = 0; c < first.size(); ++c)
    table.names.push_back(header ? std::string(trimmed(first[c])) : std::to_string(c + 1));
  // A field takes at least two bytes of the file, in each column as many: no more than the file.
  const auto rows = std::count(text.begin(), text.end(), '\n') + 1;
  for (auto& column : table.columns)
    column.reserve(std::min(static_cast<std::size_t>(rows), text.size() / (2 * first.size()) + 1));
  if (!header) append_row(table, first, lines.place());
  while (lines.next(line))
    append_row(table, fields_of(line, separator, lines.place()), lines.place());
  if (table.rows() == 0) throw DataError(fmt::format("{}: has a header and no rows", file));
  return table;
}

std::string csv_text(const std::vector<std::string>& names, const std::vector<float>& rows) {
  std::string text;
  // Read again, a header of numbers would be a row.
  const bool header = !all_numbers(names);
  for (std::size_t c = 0; header && c < names.size(); ++c) {
    const bool quoted = names[c].find_first_of(",;\"\t ") != std::string::npos;
    std::string name;
    for (const char letter : names[c])
      name += letter == '"' ? std::string("\"\"") : std::string(1, letter);
    text += (c > 0 ? "," : "") + (quoted ? '"' + name + '"' : name);
  }
  if (header) text += '\n';
  for (std::size_t i = 0; i < rows.size(); ++i)
    text += fmt::format("{}{}", rows[i], (i + 1) % names.size() == 0 ? '\n' : ',');
  return text;
}

}  // namespace genera::zoo::flow
