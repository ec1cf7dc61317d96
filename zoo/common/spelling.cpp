#include "zoo/common/spelling.h"

#include <algorithm>
#include <vector>

namespace genera::zoo {

int edit_distance(std::string_view a, std::string_view b) {
  const std::size_t n = a.size(), m = b.size();
  std::vector<std::vector<int>> distance(n + 1, std::vector<int>(m + 1));
  for (std::size_t i = 0; i <= n; ++i) distance[i][0] = static_cast<int>(i);
  for (std::size_t j = 0; j <= m; ++j) distance[0][j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= n; ++i) {
    for (std::size_t j = 1; j <= m; ++j) {
      const int replaced = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      int best = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = std::min(best, distance[i - 2][j - 2] + 1);
      distance[i][j] = best;
    }
  }
  return distance[n][m];
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  name = name.substr(0, 64);
  // A third of the letters may be wrong: more is another word.
  int limit = std::max(1, static_cast<int>(name.size()) / 3);
  std::string best;
  for (const std::string& candidate : known) {
    int distance = edit_distance(name, candidate);
    if (name.size() >= 3 && candidate.starts_with(name)) distance = std::min(distance, 1);
    if (distance < limit || (distance == limit && best.empty())) {
      best = candidate;
      limit = distance;
    }
  }
  return best;
}

}  // namespace genera::zoo
