// The weight gradient by minimal filtering against the reference loops, whether it is the faster
// one or not.
#include "backends/cpu/conv_winograd_weight.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/conv_winograd_tiles.h"
#include "tests/conv_cases.h"
#include "tests/simd_targets.h"

namespace genera::cpu {
namespace {

constexpr auto kRole = ConvAttrs::grad_weight;

Floats run(const Call& call) {
  const ConvWinogradWeight convolution(call.shape());
  return call.run(
      [&](float* output) { convolution.run(call.first.data(), call.second.data(), output); });
}

void check_case(const Case& shapes) {
  INFO(describe(shapes, kRole));
  const Call call(shapes, kRole);
  REQUIRE(WinogradTiles::applies(call.shape()));
  check_close(run(call), call.reference(), weight_tile_magnitudes(shapes, call),
              kWeightTileTolerance);
}

std::vector<Case> listed_cases() {
  return {
      // The workloads' layers, with fewer images.
      make_case(2, 64, 64, square(32, 3, 1, 1)),
      make_case(3, 64, 128, square(16, 4, 2, 1)),
      make_case(5, 32, 64, square(14, 4, 2, 1)),
      // Odd sizes and channels, partial tiles, narrow images, each padding.
      make_case(1, 32, 33, {Axis{7, 3, 1, 1, 1}, Axis{9, 3, 1, 1, 1}}),
      make_case(1, 33, 32, {Axis{7, 4, 2, 1, 1}, Axis{9, 4, 2, 1, 1}}),
      make_case(3, 35, 47, {Axis{5, 3, 1, 1, 1}, Axis{1, 3, 1, 1, 1}}),
      make_case(3, 35, 47, {Axis{5, 4, 2, 1, 1}, Axis{2, 4, 2, 1, 1}}),
      make_case(1, 130, 37, {Axis{1, 3, 1, 2, 2}, Axis{17, 3, 1, 2, 2}}),
      make_case(2, 37, 130, {Axis{9, 4, 2, 2, 2}, Axis{6, 4, 2, 2, 2}}),
      make_case(2, 40, 34, {Axis{11, 3}, Axis{13, 3}}),
      make_case(2, 40, 34, {Axis{11, 4, 2}, Axis{13, 4, 2}}),
      make_case(2, 33, 65, {Axis{8, 3, 1, 0, 2}, Axis{6, 3, 1, 2, 1}}),
      make_case(2, 33, 65, {Axis{8, 4, 2, 2, 1}, Axis{7, 4, 2, 0, 3}}),
      make_case(2, 35, 40, {Axis{10, 2, 1, 1, 1}, Axis{7, 2, 1, 0, 1}}),
      // Taps that read nothing but padding.
      make_case(1, 5, 7, {Axis{4, 3, 1, 4, 3}, Axis{5, 3, 1, 3, 5}}),
      make_case(1, 5, 7, {Axis{4, 4, 2, 5, 7}, Axis{5, 4, 2, 6, 4}}),
      make_case(1, 1, 1, square(1, 3, 1, 1)),
      make_case(1, 1, 1, square(2, 4, 2, 1)),
      // Many images in one block.
      make_case(33, 34, 36, square(4, 3, 1, 1)),
      make_case(33, 34, 36, {Axis{4, 4, 2, 1, 1}, Axis{6, 4, 2, 1, 1}}),
      // Groups.
      make_case(3, 2 * 33, 2 * 35, {Axis{9, 3, 1, 1, 1}, Axis{10, 3, 1, 1, 1}}, 2),
      make_case(3, 3 * 17, 3 * 33, {Axis{9, 4, 2, 1, 1}, Axis{10, 4, 2, 1, 1}}, 3),
      // Sums that are cut into rows of points, and into panels of x.
      make_case(2, 130, 140, square(6, 3, 1, 1)),
      make_case(3, 128, 256, square(8, 4, 2, 1)),
      make_case(2, 300, 320, {Axis{5, 3, 1, 1, 1}, Axis{4, 3, 1, 1, 1}}),
      // Rows of more tiles than a block should have.
      make_case(1, 33, 32, {Axis{5, 3, 1, 1, 1}, Axis{530, 3, 1, 1, 1}}),
  };
}

TEST_CASE("winograd weight gradient: agrees with the reference") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const Case& shapes : listed_cases()) check_case(shapes);
  });
}

TEST_CASE("winograd weight gradient: random shapes agree with the reference") {
  std::mt19937 bits(11);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 100; ++i) {
    std::vector<Axis> axes(2);
    const std::int64_t stride = pick(1, 2), kernel = stride == 2 ? 4 : pick(2, 3);
    for (Axis& axis : axes) axis = Axis{pick(4, 13), kernel, stride, pick(0, 2), pick(0, 2)};
    const std::int64_t groups = pick(0, 3) == 0 ? 2 : 1;
    check_case(make_case(pick(1, 4), groups * pick(1, 70), groups * pick(1, 70), axes, groups));
  }
}

TEST_CASE("winograd weight gradient: the number of threads changes no bit") {
  for (const Case& shapes : listed_cases()) {
    INFO(describe(shapes, kRole));
    const Call call(shapes, kRole);
    check_threads([&] { return run(call); });
  }
}

TEST_CASE("winograd weight gradient: a NaN reaches its taps, and others of its channel at most") {
  for (const std::int64_t kernel : {3, 4}) {
    for (const std::size_t pixel : {0, 7, 20, 63}) {
      CAPTURE(kernel);
      CAPTURE(pixel);
      Call call(make_case(2, 33, 34, square(8, kernel, kernel == 4 ? 2 : 1, 1)), kRole);
      call.first[64 * 5 + pixel] = std::numeric_limits<float>::quiet_NaN();
      const Floats got = run(call), want = call.reference();
      const auto taps = static_cast<std::size_t>(kernel * kernel);
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(want[i])) REQUIRE(std::isnan(got[i]));
        if (i / taps % 33 != 5) REQUIRE(!std::isnan(got[i]));
      }
    }
  }
}

// Pixels that no tap reads change nothing, whatever they hold.
TEST_CASE("winograd weight gradient: pixels beyond the last tap are not read") {
  Call call(make_case(2, 33, 34, square(9, 4, 2, 0)), kRole);
  const Floats want = run(call);
  for (std::size_t i = 0; i < call.first.size(); ++i) {
    if (i % 9 == 8 || i / 9 % 9 == 8) call.first[i] = std::numeric_limits<float>::quiet_NaN();
  }
  CHECK(run(call) == want);
}

TEST_CASE("winograd weight gradient: taken for wide layers, left for narrow ones") {
  const auto suits = [](const Case& shapes) {
    return ConvWinogradWeight::suits(Call(shapes, kRole).shape());
  };
  CHECK(suits(make_case(32, 64, 64, square(32, 3, 1, 1))));
  CHECK(suits(make_case(64, 64, 128, square(16, 4, 2, 1))));
  CHECK_FALSE(suits(make_case(32, 3, 64, square(32, 3, 1, 1))));
  CHECK_FALSE(suits(make_case(128, 1, 32, square(28, 4, 2, 1))));
  CHECK_FALSE(suits(make_case(32, 64, 64, square(32, 5, 1, 2))));
}

}  // namespace
}  // namespace genera::cpu
