/// "Did you mean": the known name that is nearest to a misspelt one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace genera::zoo {

/// The number of single-letter insertions, deletions, replacements and swaps of neighbours that
/// turn a into b (the restricted Damerau-Levenshtein distance).
int edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known`, or "" when nothing is near.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

}  // namespace genera::zoo
