/// Tables of numbers from CSV files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace genera::zoo::flow {

struct Table {
  std::vector<std::string> names;           ///< of the columns; "1", "2", … without a header
  std::vector<std::vector<float>> columns;  ///< equally long
  std::int64_t rows() const {
    return columns.empty() ? 0 : static_cast<std::int64_t>(columns.front().size());
  }
};

/// Reads a CSV file (RFC 4180): fields separated by commas, semicolons or tabs (whichever the first
/// line has most of), in quotes or not, lines ended by LF or CRLF, blank lines skipped. The first
/// line is the header if any of its fields is not a number. All other fields must be finite numbers.
/// DataError with file, line, byte offset and column for anything else, for lines of different
/// lengths, and for no rows.
Table read_csv(const std::filesystem::path& path);

/// The text of a CSV file with this header and rows.size() / names.size() rows; without a header
/// where all names are numbers, as those that read_csv gives to columns without one.
std::string csv_text(const std::vector<std::string>& names, const std::vector<float>& rows);

}  // namespace genera::zoo::flow
