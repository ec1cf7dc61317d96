// Random graphs: fused = unfused = eager = planned = any number of threads, bit for bit.
// GENERA_TEST_SEED=N replays one graph; GENERA_TEST_GRAPHS=N runs N of them.
#include "tests/random_graphs.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace genera::random_graphs {
namespace {

std::uint64_t graph_count() {
  return number_from("GENERA_TEST_GRAPHS", std::getenv("GENERA_TEST_FULL") ? 40000 : 2500);
}

}  // namespace

TEST_CASE("random graphs: the same bits in every mode, near the reference backend") {
  const bool replay = std::getenv("GENERA_TEST_SEED") != nullptr;
  const std::uint64_t first = number_from("GENERA_TEST_SEED", 0);
  const std::uint64_t last = replay ? first + 1 : graph_count();
  int failures = 0, executed = 0, compared = 0;
  for (std::uint64_t seed = first; seed < last; ++seed) {
    const Outcome outcome = check({.seed = seed});
    ++executed;
    compared += outcome.compared_with_reference;
    if (outcome.failure.empty()) continue;
    ++failures;
    CHECK_MESSAGE(false, outcome.failure);
    if (failures == 1) MESSAGE(explain({.seed = seed}));
    if (failures == 20) break;
  }
  MESSAGE(executed << " graphs, " << compared << " tensors compared with the reference backend");
  CHECK(static_cast<std::uint64_t>(executed) == last - first);
  if (!replay) CHECK(compared > executed / 2);
}

}  // namespace genera::random_graphs
