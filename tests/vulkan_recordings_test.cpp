// Recordings that are submitted again: the bits of fresh ones, and never where they do not fit.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/device.h>
#include <genera/functions.h>
#include <genera/nn.h>
#include <genera/ops.h>
#include <genera/optim.h>
#include <genera/profile.h>
#include <genera/random.h>
#include <genera/stats.h>

#include "backends/backend.h"
#include "engine/plan/plan_cache.h"
#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace genera::cases {
namespace {

/// The selector of the same device once more, with these limits (or another setting's value) besides those there are. A backend is kept by its selector for as long as the process
/// lives, so each caller needs another: the device's name without its last `dropped` letters.
std::string device_with(const std::string& value, std::size_t dropped,
                        const char* const name = "GENERA_VULKAN_LIMITS") {
  const OnBackend vulkan("vulkan");
  const std::string report = device_report();
  const std::string device = report.substr(7, report.find('\n') - 7);  // "device NAME"
  const std::string selector = "vulkan:" + device.substr(0, device.size() - dropped);
  const std::string before = std::getenv(name) ? std::getenv(name) : "";
  setenv(name, fmt::format("{}{}{}", before, before.empty() ? "" : ",", value).c_str(), 1);
  find_backend(selector);
  setenv(name, before.c_str(), 1);
  return selector;
}

struct Recordings {
  std::int64_t made, kept;
};
Recordings recordings() {
  const zoo::Counts counts = zoo::counts_so_far();
  return {counts.number("recordings"), counts.number("recordings_kept")};
}

/// Runs `work` and says what it recorded.
Recordings recorded(const std::function<void()>& work) {
  const Recordings before = recordings();
  work();
  const Recordings after = recordings();
  return {after.made - before.made, after.kept - before.kept};
}

constexpr std::int64_t steps = 12;

/// Losses of some steps, each read when the next one is under way, and the weights: each step has a batch, random numbers and a factor of its own.
std::vector<float> trained(const std::string& backend, Recordings& count) {
  const OnBackend here(backend.c_str());
  const Key key{7};
  nn::Linear first(12, 9, key.fold_in(0)), second(9, 3, key.fold_in(1));
  optim::Adam adam(parameters(first, second), {.lr = 1e-2f});
  std::vector<float> result;
  Tensor before = full({}, 0.0, DType::f32);
  count = recorded([&] {
    for (std::int64_t step = 0; step < steps; ++step) {
      const std::vector<float> batch(16 * 12, 0.1f * static_cast<float>(step % 5));
      const Tensor x = Tensor::from(batch, Shape{16, 12});
      const Key own = key.fold_in(static_cast<std::uint64_t>(100 + step));
      const Tensor y = second(tanh(first(x + random_normal(own, {16, 12}))));
      const Tensor loss = mean(y * y - sigmoid(y)) * (1.0 + 0.1 * static_cast<double>(step));
      adam.step(grad(loss, adam.parameters()));
      if (step > 0) result.push_back(before.item<float>());
      before = loss;
    }
  });
  result.push_back(before.item<float>());
  for (const Tensor& value : {first.weight(), first.bias(), second.weight(), second.bias()})
    for (const float number : value.to_vector<float>()) result.push_back(number);
  return result;
}

}  // namespace

TEST_CASE("vulkan recordings: a step that is submitted again has the bits of one recorded anew") {
  Recordings kept, fresh;
  const auto again = trained("vulkan", kept);
  const auto anew = trained(device_with("record-always", 0), fresh);
  CHECK(again == anew);
  MESSAGE(kept.made << " recordings made, " << kept.kept << " submitted again");
  CHECK(kept.made + kept.kept == steps);
  CHECK(kept.kept >= 2);
  CHECK(fresh.made + fresh.kept == 0);
}

TEST_CASE("vulkan recordings: values that lie elsewhere are recorded anew") {
  const OnBackend vulkan("vulkan");
  std::vector<Tensor> leaves;
  for (int i = 0; i < 3; ++i) leaves.push_back(full({70}, i, DType::f32).eval());
  const auto evaluated = [&](int leaf, double factor) {
    Recordings count{};
    std::vector<float> numbers;
    count = recorded([&] {
      numbers = (leaves[static_cast<std::size_t>(leaf)] * factor + 1.0).to_vector<float>();
    });
    CHECK(numbers == std::vector<float>(70, static_cast<float>(leaf * factor + 1)));
    CHECK(count.made + count.kept == 1);
    return count.kept == 1;
  };
  PlanCache::instance().clear();
  CHECK_FALSE(evaluated(1, 2));
  CHECK_FALSE(evaluated(1, 2));  // runs take turns with two recordings
  CHECK(evaluated(1, 2));
  CHECK(evaluated(1, 3));  // numbers of the host lie in memory that the recordings read
  CHECK_FALSE(evaluated(2, 3));
  CHECK(evaluated(1, 4));
  CHECK(evaluated(2, 4));
  CHECK_FALSE(evaluated(0, 4));
  CHECK(evaluated(2, 5));
  CHECK(evaluated(0, 5));
}

TEST_CASE("vulkan recordings: an upload waits for a recording before it that uses the place") {
  const OnBackend vulkan("vulkan");
  const std::int64_t n = 70;
  const Tensor x = full({n}, 1.0, DType::f32).eval();
  const auto leaf = [&] { return Tensor::from(std::vector<float>(n, 5.0f), Shape{n}); };
  const auto barriers_of = [&](const Tensor& value) {
    const std::int64_t before = zoo::counts_so_far().number("barriers");
    const Tensor result = (value * 2.0).eval();
    return zoo::counts_so_far().number("barriers") - before;
  };
  for (int i = 0; i < 3; ++i) {
    const Tensor doubled = (x * 2.0).eval();
    CHECK(barriers_of(leaf()) == 1);  // at the recording's start
  }
  for (int i = 0; i < 3; ++i) {
    (x * 2.0).eval();
    CHECK(barriers_of(leaf()) == 2);  // the leaf takes the place of what was doubled
    (x * 2.0).to_vector<float>();
    CHECK(barriers_of(leaf()) == 2);  // reading waits for the device, but orders nothing on it
  }
  std::vector<Tensor> held;
  for (int i = 0; i < 5; ++i) {  // nothing is uploaded, nothing was written
    const std::int64_t before = zoo::counts_so_far().number("barriers");
    held.push_back((x + x).eval());
    CHECK(zoo::counts_so_far().number("barriers") - before == 1);
  }
}

TEST_CASE("vulkan recordings: a profiled run is not kept, and sees every step") {
  const OnBackend vulkan("vulkan");
  const Tensor x = full({40, 40}, 1.0, DType::f32).eval();
  const auto product = [&] { matmul(x, exp(x)).eval(); };
  for (int i = 0; i < 3; ++i) product();
  std::vector<ProfileEntry> entries;
  const Recordings count = recorded([&] {
    start_profile();
    product();
    entries = stop_profile();
  });
  CHECK(count.made + count.kept == 0);
  std::uint64_t seen = 0;
  for (const ProfileEntry& entry : entries) seen += entry.runs;
  CHECK(seen == 2);
}

TEST_CASE("vulkan recordings: work in several submissions is not kept") {
  const OnBackend cut(device_with("segment=1K", 2).c_str());
  const Tensor x = full({200}, 1.0, DType::f32).eval();
  const Tensor turned = reshape(x, {20, 10});
  for (int i = 0; i < 3; ++i) {
    const zoo::Counts before = zoo::counts_so_far();
    CHECK(matmul(turned, transpose(turned)).to_vector<float>() == std::vector<float>(400, 10.0f));
    const zoo::Counts counts = zoo::counts_so_far() - before;
    CHECK(counts.number("segments") > 0);
    CHECK(counts.number("recordings") + counts.number("recordings_kept") == 0);
  }
}

TEST_CASE("vulkan recordings: the same addresses in another block of memory are recorded anew") {
  const OnBackend small(device_with("block=1M,heap=1536K", 1).c_str());
  // A block of 1 MiB that is almost full, another of 450 KiB for the doubled, which goes when 480 KiB are wanted.
  const std::int64_t doubled = 450 << 8, wanted = 480 << 8;
  const Tensor x = full({doubled}, 3.0, DType::f32).eval();
  const Tensor filler = full({500 << 8}, 1.0, DType::f32).eval();
  const auto twice = [&] {
    return recorded([&] {
      CHECK((x * 2.0).to_vector<float>() ==
            std::vector<float>(static_cast<std::size_t>(doubled), 6.0f));
    });
  };
  twice();
  twice();
  const std::int64_t requests = zoo::counts_so_far().number("memory_requests");
  const std::int64_t messages = zoo::counts_so_far().number("validation_messages");
  CHECK(twice().kept == 1);
  full({wanted}, 4.0, DType::f32).eval();
  CHECK(zoo::counts_so_far().number("memory_requests") == requests + 1);
  CHECK(twice().made == 1);
  CHECK(zoo::counts_so_far().number("validation_messages") == messages);
}

TEST_CASE("vulkan recordings: a plan that is forgotten while it runs leaves nothing behind") {
  const OnBackend vulkan("vulkan");
  const zoo::Counts before = zoo::counts_so_far();
  PlanCache::instance().clear();
  set_plan_cache_cap(1);  // the latest alone is remembered
  std::vector<Tensor> results;
  for (std::int64_t n = 1000; n < 1030; ++n) {
    const Tensor x = full({n}, 2.0, DType::f32).eval();
    // From its third run on a plan submits a recording again; nobody waits for it but what takes the plan's place.
    for (int i = 0; i < 3; ++i) cumsum(x * 3.0 + 1.0, 0).eval();
    results.push_back(cumsum(x * 3.0 + 1.0, 0).eval());
    CHECK(PlanCache::instance().plans().size() == 1);
  }
  set_plan_cache_cap(std::size_t{256} << 20);
  CHECK((zoo::counts_so_far() - before).number("recordings_kept") >= 30);
  for (std::size_t i = 0; i < results.size(); ++i)
    CHECK(results[i].to_vector<float>().back() == 7.0f * static_cast<float>(1000 + i));
  CHECK((zoo::counts_so_far() - before).number("validation_messages") == 0);
}

TEST_CASE("vulkan recordings: a plan's pipelines and recordings count towards the cap of plans") {
  const OnBackend vulkan("vulkan");
  PlanCache::instance().clear();
  const zoo::Counts before = zoo::counts_so_far();
  for (std::int64_t n = 2000; n < 2010; ++n) (full({n}, 2.0, DType::f32) * 3.0).eval();
  const std::int64_t pipelines = (zoo::counts_so_far() - before).number("pipelines");
  CHECK(pipelines >= 10);
  const std::size_t all = stats().plan_cache_bytes;
  CHECK(all > static_cast<std::size_t>(pipelines) << 16);
  set_plan_cache_cap(all / 2);
  CHECK(PlanCache::instance().plans().size() <= 6);
  CHECK(stats().plan_cache_bytes <= all / 2);
  PlanCache::instance().clear();
  CHECK(stats().plan_cache_bytes == 0);
  set_plan_cache_cap(std::size_t{256} << 20);
}

TEST_CASE("vulkan recordings: validation sees hazards from one submission to the next") {
  REQUIRE(std::getenv("GENERA_VULKAN_VALIDATE"));  // tests/meson.build
  const OnBackend unordered(device_with("barrier:1+", 3, "GENERA_VULKAN_FAULT").c_str());
  const auto steps = [] {
    Tensor x = full({70}, 1.0, DType::f32).eval();
    for (int i = 0; i < 4; ++i) x = (x * 2.0 + 1.0).eval();  // a submission each
  };
  CHECK_THROWS_WITH_AS(steps(), doctest::Contains("READ_AFTER_WRITE"), DeviceError);
}

}  // namespace genera::cases
