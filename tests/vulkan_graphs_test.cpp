// Random graphs on Vulkan: 150, with GENERA_TEST_FULL 1,000. GENERA_TEST_SEED=N replays one graph; GENERA_TEST_GRAPHS=N runs N of them.
#include <doctest/doctest.h>
#include <genera/device.h>

#include "backends/backend.h"
#include "engine/plan/plan_cache.h"
#include "tests/conformance_check.h"
#include "tests/random_graphs.h"
#include "tests/vulkan_counts.h"

#include <cstdlib>
#include <string>

namespace genera::random_graphs {
namespace {

/// The same device again, with a barrier before every command and red zones around every slice.
std::string cautious_device() {
  const char* const name = "GENERA_VULKAN_LIMITS";
  const std::string before = std::getenv(name) ? std::getenv(name) : "";
  setenv(name, (before + ",barrier-always,red-zones").c_str(), 1);
  find_backend("vulkan:0");
  setenv(name, before.c_str(), 1);
  return "vulkan:0";
}

bool without_messages(const std::string& backend) {
  const cases::OnBackend here(backend.c_str());
  return device_report().find("validation_messages 0\n") != std::string::npos;
}

std::int64_t recordings_kept() {
  const cases::OnBackend here("vulkan");
  return zoo::counts_so_far().number("recordings_kept");
}

}  // namespace

TEST_CASE("vulkan graphs: fused = unfused = again = barriers everywhere, near the CPU") {
  const bool replay = std::getenv("GENERA_TEST_SEED") != nullptr;
  const std::uint64_t first = number_from("GENERA_TEST_SEED", 0);
  const std::uint64_t usual = std::getenv("GENERA_TEST_FULL") ? 1000 : 150;
  const std::uint64_t last = replay ? first + 1 : number_from("GENERA_TEST_GRAPHS", usual);
  find_backend("vulkan");  // before the limits change
  const std::vector<std::string> backends{"vulkan", cautious_device()};
  int compared = 0, failures = 0;
  std::uint64_t executed = 0;
  for (std::uint64_t seed = first; seed < last && failures < 20; ++seed, ++executed) {
    const Outcome outcome = check_backends({.seed = seed}, backends);
    PlanCache::instance().clear();
    compared += outcome.compared_with_reference;
    failures += outcome.failure.empty() ? 0 : 1;
    CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
  }
  MESSAGE(executed << " graphs, " << compared
                   << " tensors compared with the CPU and the reference");
  CHECK(executed > 0);
  if (!replay) CHECK(compared > static_cast<int>(executed));
  const std::int64_t kept = recordings_kept();
  MESSAGE(kept << " recordings submitted again");
  if (!replay) CHECK(kept > static_cast<std::int64_t>(executed) / 2);
  for (const std::string& backend : backends) CHECK(without_messages(backend));
}

}  // namespace genera::random_graphs
