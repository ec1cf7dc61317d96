#include "zoo/gan/table.h"

#include <fmt/core.h>

#include <algorithm>

namespace genera::zoo::gan {

std::string table_text(const std::vector<Reference>& rows) {
  std::size_t widest = 0;
  for (const Reference& row : rows) widest = std::max(widest, row.first.size());
  std::string text = fmt::format("{:<{}}", "", widest);
  for (const Figure& column : rows.front().second) text += fmt::format("  {:>12}", column.name);
  text += "\n";
  for (const auto& [name, figures] : rows) {
    text += fmt::format("{:<{}}", name, widest);
    for (const Figure& column : rows.front().second) {
      const auto found = std::find_if(figures.begin(), figures.end(), [&](const Figure& figure) {
        return figure.name == column.name;
      });
      text += found == figures.end() ? fmt::format("  {:>12}", "")
                                     : fmt::format("  {:>12.3f}", found->value);
    }
    text += "\n";
  }
  return text;
}

}  // namespace genera::zoo::gan
