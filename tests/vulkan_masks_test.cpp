// Every primitive on a device that GENERA_VULKAN_LIMITS or the driver's own settings make poorer (tests/meson.build): all right, or
// refused with a typed error before anything runs. A part of the cases, all of them with GENERA_TEST_FULL.
#include <doctest/doctest.h>
#include <genera/error.h>

#include "backends/backend.h"
#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace genera::cases {
namespace {

bool on_device(DType dtype) { return dtype != DType::f64 && dtype != DType::i64; }

/// Whether GENERA_VULKAN_LIMITS takes away the word.
bool taken(std::string_view word) {
  const char* limits = std::getenv("GENERA_VULKAN_LIMITS");
  return limits && std::string_view(limits).find(word) != std::string_view::npos;
}

/// Whether the mask takes away the device's loads and stores of such elements.
bool refused(DType dtype) {
  const bool half = dtype == DType::f16 || dtype == DType::bf16;
  const bool byte = dtype == DType::u8 || dtype == DType::boolean;
  return (half && taken("no-half-words")) || (byte && taken("no-bytes"));
}

std::int64_t dispatches() {
  const OnBackend vulkan("vulkan");
  return zoo::counts_so_far().number("dispatches");
}

struct Counts {
  int passed = 0, refused = 0;
};

void run_case(const Case& c, DType dtype, Counts& counts) {
  INFO(c.name << " " << std::string(name(dtype)));
  const std::vector<Tensor> outputs = c.build(c.inputs);
  const auto held = [](const Tensor& x) { return on_device(x.dtype()); };
  if (!std::all_of(outputs.begin(), outputs.end(), held)) return;
  const auto lacking = [](const Tensor& x) { return refused(x.dtype()); };
  const bool may_refuse = std::any_of(outputs.begin(), outputs.end(), lacking) ||
                          std::any_of(c.inputs.begin(), c.inputs.end(), lacking) || refused(dtype);
  const std::int64_t before = dispatches();
  try {
    const std::string difference = compare("vulkan", c, dtype);
    CHECK_MESSAGE(difference.empty(), difference);
    ++counts.passed;
  } catch (const DeviceError& error) {
    CHECK_MESSAGE(may_refuse, error.what());
    CHECK(dispatches() == before);
    ++counts.refused;
  }
}

/// Whether a module of the cache asks for operations of subgroups (SPIR-V's capabilities GroupNonUniform…).
bool uses_subgroups(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  constexpr std::size_t header = 40;  // of the cache; SPIR-V's own has 5 words
  std::vector<std::uint32_t> words(bytes.size() < header ? 0 : (bytes.size() - header) / 4);
  if (!words.empty()) std::memcpy(words.data(), bytes.data() + header, words.size() * 4);
  for (std::size_t at = 5; at + 1 < words.size(); at += std::max(words[at] >> 16, 1u))
    if ((words[at] & 0xffffu) == 17 && words[at + 1] >= 61 && words[at + 1] <= 68) return true;
  return false;
}

}  // namespace

TEST_CASE("vulkan: every primitive on a poorer device") {
  const bool full = std::getenv("GENERA_TEST_FULL") != nullptr;
  const std::size_t stride = full ? 1 : 5;
  Counts counts;
  const std::int64_t begin = dispatches();
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    std::size_t of_this = 0, n = static_cast<std::size_t>(i);
    for (const DType dtype : dtypes) {
      if (!on_device(dtype)) continue;
      for (const Case& c : cases_of(op, {.dtype = dtype, .large = full && dtype == DType::f32})) {
        ++n;
        if (of_this > 0 && n % stride != 0) continue;
        run_case(c, dtype, counts);
        ++of_this;
      }
    }
    INFO(std::string(name(op)));
    CHECK_MESSAGE(of_this > 0, "no case");
  }
  MESSAGE(counts.passed << " cases passed, " << counts.refused << " were refused");
  CHECK(counts.passed >= (full ? 3500 : 600));
  // They did run there; those of empty shapes need nothing.
  CHECK(dispatches() - begin > counts.passed / 2);
  CHECK((counts.refused > 0) == (taken("no-half-words") || taken("no-bytes")));
}

TEST_CASE("vulkan: no shader needs subgroups") {
  const char* const cache = std::getenv("GENERA_SHADER_CACHE");
  REQUIRE(cache != nullptr);
  int modules = 0;
  for (const auto& entry : std::filesystem::directory_iterator(cache))
    if (entry.path().extension() == ".spv") {
      INFO(entry.path().filename().string());
      CHECK_FALSE(uses_subgroups(entry.path()));
      ++modules;
    }
  CHECK(modules > 100);
}

}  // namespace genera::cases
