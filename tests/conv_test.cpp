// Convolution on the CPU against the reference loops, in all roles.
#include "backends/cpu/conv_step.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/conv_winograd.h"
#include "backends/cpu/conv_winograd_weight.h"
#include "tests/conv_cases.h"
#include "tests/simd_targets.h"

namespace genera::cpu {
namespace {

// Where tiles share what they read, errors are in proportion to that.
constexpr float kTolerance = 4e-6f;
constexpr float kTileTolerance = 3e-7f;

void check_case(const Case& shapes) {
  for (const auto role : {ConvAttrs::out, ConvAttrs::grad_input, ConvAttrs::grad_weight}) {
    INFO(describe(shapes, role));
    Call call(shapes, role);
    const ConvShape shape = call.shape();
    if (role != ConvAttrs::grad_weight && ConvWinograd::suits(shape)) {
      const std::int64_t tile = kWinogradTile * WinogradTiles(shape).step();
      check_close(call.run(), call.reference(), call.tile_magnitudes(tile), kTileTolerance);
    } else if (role == ConvAttrs::grad_weight && ConvWinogradWeight::suits(shape)) {
      check_close(call.run(), call.reference(), weight_tile_magnitudes(shapes, call),
                  kWeightTileTolerance);
    } else {
      check_close(call.run(), call.reference(), call.magnitudes(), kTolerance);
    }
  }
}

std::vector<Case> listed_cases() {
  return {
      // The workloads' layers, with fewer images.
      make_case(5, 1, 32, square(28, 4, 2, 1)),
      make_case(9, 32, 64, square(14, 4, 2, 1)),
      make_case(3, 64, 128, square(16, 4, 2, 1)),
      make_case(2, 64, 64, square(32, 3, 1, 1)),
      make_case(3, 1, 64, square(32, 4, 2, 1)),
      make_case(6, 100, 70, square(1, 4, 1, 3)),
      make_case(6, 40, 1, square(4, 4, 1, 0)),
      make_case(3, 2, 128, square(16, 3, 1, 1)),
      make_case(3, 128, 4, square(16, 3, 1, 1)),
      make_case(3, 128, 2, square(5, 3, 1, 1)),
      make_case(4, 48, 20, square(9, 1, 1, 0)),
      make_case(4, 12, 24, square(9, 1, 2, 0)),
      make_case(2, 33, 17, square(1, 1, 1, 0)),
      // Depthwise, groups, patches, dilation, one-sided padding.
      make_case(2, 6, 6, square(12, 3, 1, 1), 6),
      make_case(2, 6, 12, square(12, 3, 2, 1), 6),
      make_case(2, 12, 8, square(7, 3, 1, 1), 4),
      make_case(2, 3, 24, square(16, 4, 4, 0)),
      make_case(1, 3, 5, {Axis{40, 16, 8, 2, 1}, Axis{35, 17, 5, 0, 3}}),
      make_case(2, 5, 7, {Axis{13, 3, 1, 2, 2, 2}, Axis{17, 2, 3, 0, 1, 3}}),
      make_case(2, 5, 7, {Axis{13, 2, 3, 2, 2, 2}, Axis{17, 4, 2, 1, 0, 3}}),
      make_case(2, 4, 4, {Axis{5, 1, 3}, Axis{6, 2, 5, 0, 1}}),
      make_case(1, 2, 3, square(2, 2, 1, 3)),
      make_case(2, 8, 8, {Axis{9, 3, 2, 1, 1}, Axis{37, 5, 2, 2, 2}}, 8),
      make_case(1, 4, 4, square(70, 3, 1, 1), 4),
      make_case(3, 64, 1, square(16, 3, 1, 1)),
      make_case(3, 16, 1, square(6, 4, 2, 1)),
      make_case(2, 5, 2, {Axis{3, 2}, Axis{8, 3, 1, 1, 1}, Axis{20, 3, 1, 1, 1}}),
      // One and three axes.
      make_case(3, 8, 20, {Axis{50, 5, 1, 2, 2}}),
      make_case(3, 3, 5, {Axis{37, 4, 3, 1, 0, 2}}),
      make_case(2, 3, 18, {Axis{5, 3, 1, 1, 1}, Axis{6, 2, 2, 0, 1}, Axis{9, 3, 2, 1, 1}}),
      make_case(1, 4, 6, {Axis{7, 2, 3, 2, 0}, Axis{4, 3, 1, 1, 1, 2}, Axis{5, 1, 1}}, 2),
      make_case(2, 3, 4, {Axis{20, 3, 1, 1, 1}, Axis{1, 1}}),
      // Few images with many rows: cut into bands.
      make_case(1, 3, 8, square(96, 3, 1, 1)),
      make_case(1, 40, 33, square(50, 5, 2, 2)),
      make_case(1, 96, 20, {Axis{61, 3, 1, 1, 1}, Axis{70, 3, 1, 1, 1}}),
      make_case(2, 2, 9, {Axis{3, 2, 1, 0, 1}, Axis{40, 3, 2, 1, 1}, Axis{19, 3, 2, 1, 1}}),
      // Weights that fill the caches.
      make_case(2, 192, 200, square(6, 3, 1, 1)),
  };
}

TEST_CASE("conv: all roles agree with the reference") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const Case& shapes : listed_cases()) check_case(shapes);
  });
}

TEST_CASE("conv: random shapes agree with the reference") {
  std::mt19937 bits(7);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 150; ++i) {
    std::vector<Axis> axes(static_cast<std::size_t>(pick(1, 3)));
    for (Axis& axis : axes) {
      axis.kernel = pick(1, 5);
      axis.stride = pick(1, 3);
      axis.dilation = pick(1, 2);
      axis.lo = pick(0, 4);
      axis.hi = pick(0, 4);
      axis.in = pick(1, axes.size() == 1 ? 40 : 12);
      const std::int64_t span = (axis.kernel - 1) * axis.dilation + 1;
      axis.in = std::max(axis.in, span - axis.lo - axis.hi);
    }
    const std::int64_t groups = pick(0, 3) == 0 ? pick(2, 3) : 1;
    check_case(make_case(pick(1, 5), groups * pick(1, 9), groups * pick(1, 40), axes, groups));
  }
}

TEST_CASE("conv: empty operands") {
  Case none = make_case(1, 3, 4, square(6, 3, 1, 1));
  none.x = none.x.with(0, 0);
  none.y = none.y.with(0, 0);
  check_case(none);
  CHECK(Call(none, ConvAttrs::grad_weight).run() == Floats(108, 0.0f));
}

TEST_CASE("conv: the number of threads changes no bit") {
  for (const Case& shapes : listed_cases()) {
    for (const auto role : {ConvAttrs::out, ConvAttrs::grad_input, ConvAttrs::grad_weight}) {
      INFO(describe(shapes, role));
      Call call(shapes, role);
      check_threads([&] { return call.run(); });
    }
  }
}

double dot(const Floats& a, const Floats& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

TEST_CASE("conv: the roles are one trilinear form") {
  for (const Case& shapes : listed_cases()) {
    INFO(describe(shapes, 0));
    Call out(shapes, ConvAttrs::out), input(shapes, ConvAttrs::grad_input),
        weight(shapes, ConvAttrs::grad_weight);
    const Floats y = random_floats(shapes.y, 3);
    input.first = y;
    input.second = out.second;
    weight.first = out.first;
    weight.second = y;
    const double form = dot(y, out.run());
    const double scale = std::sqrt(double(shapes.x.elements() * shapes.w.elements()));
    CHECK(std::abs(dot(out.first, input.run()) - form) <= 1e-5 * scale);
    CHECK(std::abs(dot(out.second, weight.run()) - form) <= 1e-5 * scale);
  }
}

TEST_CASE("conv: a NaN pixel stays where its taps reach") {
  const Case shapes = make_case(2, 3, 20, square(11, 3, 2, 1));
  for (const auto role : {ConvAttrs::out, ConvAttrs::grad_input, ConvAttrs::grad_weight}) {
    INFO(describe(shapes, role));
    Call call(shapes, role);
    call.first[17] = std::numeric_limits<float>::quiet_NaN();
    const Floats got = call.run(), want = call.reference();
    for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(std::isnan(got[i]) == std::isnan(want[i]));
  }
}

}  // namespace
}  // namespace genera::cpu
