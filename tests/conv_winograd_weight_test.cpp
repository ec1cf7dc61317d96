// The weight gradient by minimal filtering against the reference loops.
#include "backends/cpu/conv_winograd_weight.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "backends/reference/primitives.h"
#include "engine/core/thread_pool.h"
#include "engine/graph/attributes.h"
#include "tests/simd_targets.h"

namespace genera::cpu {
namespace {

using Floats = std::vector<float>;

struct Case {
  std::int64_t batch, in_channels, out_channels;  // channels in all groups
  std::int64_t kernel;                            // 3, with stride 1, or 4, with stride 2
  std::int64_t height, width;
  std::int64_t lo[2] = {1, 1};
  std::int64_t hi[2] = {1, 1};
  std::int64_t groups = 1;

  std::int64_t stride() const { return kernel == 4 ? 2 : 1; }
  // `more` pixels wider on every side of the kernel, and padded as much more: y stays.
  Shape w(std::int64_t more = 0) const {
    const std::int64_t size = kernel + 2 * more;
    return {out_channels, in_channels / groups, size, size};
  }
  Shape x() const { return {batch, in_channels, height, width}; }
  Shape y() const {
    return {batch, out_channels, (height + lo[0] + hi[0] - kernel) / stride() + 1,
            (width + lo[1] + hi[1] - kernel) / stride() + 1};
  }
  ConvShape shape() const {
    ConvShape made;
    made.role = ConvAttrs::grad_weight;
    made.batch = batch;
    made.groups = groups;
    made.in_channels = in_channels / groups;
    made.out_channels = out_channels / groups;
    made.in = {1, height, width};
    made.kernel = {1, kernel, kernel};
    made.out = {1, y()[2], y()[3]};
    made.stride = {1, stride(), stride()};
    made.pad = {0, lo[0], lo[1]};
    return made;
  }
};

std::string describe(const Case& c) {
  return "x " + to_string(c.x()) + " w " + to_string(c.w()) + " y " + to_string(c.y()) + " pad " +
         std::to_string(c.lo[0]) + " " + std::to_string(c.lo[1]) + " groups " +
         std::to_string(c.groups);
}

Floats random_floats(const Shape& shape, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  Floats values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) value = normal(bits);
  return values;
}

struct Operands {
  explicit Operands(const Case& c) : x(random_floats(c.x(), 1)), y(random_floats(c.y(), 2)) {}
  Floats x, y;
};

Floats run(const Case& c, const Operands& from) {
  // A guard behind the weights must stay, and every weight must be written.
  const auto size = static_cast<std::size_t>(c.w().elements());
  Floats w(size + 16, std::numeric_limits<float>::quiet_NaN());
  ConvWinogradWeight(c.shape()).run(from.x.data(), from.y.data(), w.data());
  for (std::size_t i = size; i < w.size(); ++i) REQUIRE(std::isnan(w[i]));
  w.resize(size);
  return w;
}

Floats reference(const Case& c, const Operands& from, std::int64_t more = 0) {
  ConvAttrs attrs{};
  attrs.spatial = 2;
  attrs.groups = c.groups;
  attrs.role = ConvAttrs::grad_weight;
  for (std::size_t d = 0; d < 2; ++d) {
    attrs.stride[d] = c.stride();
    attrs.pad_lo[d] = c.lo[d] + more;
    attrs.pad_hi[d] = c.hi[d] + more;
    attrs.dilation[d] = 1;
  }
  Floats w(static_cast<std::size_t>(c.w(more).elements()));
  const reference::Input inputs[] = {{from.x.data(), DType::f32, c.x()},
                                     {from.y.data(), DType::f32, c.y()}};
  const reference::Output outputs[] = {{w.data(), DType::f32, c.w(more)}};
  reference::run(Op::Conv, &attrs, inputs, outputs);
  return w;
}

// For each pair of channels the sum of |x| * |y| over all pixels that may share a tile: those that a
// kernel with a stride more on each side joins.
Floats magnitudes(const Case& c, Operands from) {
  for (Floats* values : {&from.x, &from.y}) {
    for (float& value : *values) value = std::abs(value);
  }
  const Floats wide = reference(c, from, c.stride());
  const auto taps = static_cast<std::size_t>(c.w(c.stride())[2] * c.w(c.stride())[3]);
  Floats sums(wide.size() / taps);
  for (std::size_t i = 0; i < wide.size(); ++i) sums[i / taps] += wide[i];
  return sums;
}

void check_case(const Case& c) {
  INFO(describe(c));
  REQUIRE(ConvWinogradWeight::possible(c.shape()));
  const Operands from(c);
  const Floats got = run(c, from), want = reference(c, from), scale = magnitudes(c, from);
  const auto taps = static_cast<std::size_t>(c.kernel * c.kernel);
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - want[i]) <= 2e-7f * scale[i / taps]) continue;
    CAPTURE(i);
    CAPTURE(std::abs(got[i] - want[i]) / scale[i / taps]);
    CHECK(got[i] == want[i]);
    return;
  }
}

std::vector<Case> listed_cases() {
  return {
      {2, 64, 64, 3, 32, 32},
      {3, 64, 128, 4, 16, 16},
      {5, 32, 64, 4, 14, 14},
      // Odd sizes and channels, partial tiles, narrow images, each padding.
      {1, 32, 33, 3, 7, 9},
      {1, 33, 32, 4, 7, 9},
      {3, 35, 47, 3, 5, 1},
      {3, 35, 47, 4, 5, 2},
      {1, 130, 37, 3, 1, 17, {2, 2}, {2, 2}},
      {2, 37, 130, 4, 9, 6, {2, 2}, {2, 2}},
      {2, 40, 34, 3, 11, 13, {0, 0}, {0, 0}},
      {2, 40, 34, 4, 11, 13, {0, 0}, {0, 0}},
      {2, 33, 65, 3, 8, 6, {0, 2}, {2, 1}},
      {2, 33, 65, 4, 8, 7, {2, 0}, {1, 3}},
      {1, 5, 7, 3, 4, 5, {4, 3}, {3, 5}},
      {1, 5, 7, 4, 4, 5, {5, 6}, {7, 4}},
      {33, 34, 36, 3, 4, 4},
      {33, 34, 36, 4, 4, 6},
      {1, 1, 1, 3, 1, 1},
      {1, 1, 1, 4, 2, 2},
      // Groups.
      {3, 66, 35 * 2, 3, 9, 10, {1, 1}, {1, 1}, 2},
      {3, 3 * 17, 3 * 33, 4, 9, 10, {1, 1}, {1, 1}, 3},
      // Sums that are cut into rows of points, and into panels of x.
      {2, 130, 140, 3, 6, 6},
      {3, 128, 256, 4, 8, 8},
      {2, 300, 320, 3, 5, 4},
      // Rows of more tiles than a block should have.
      {1, 33, 32, 3, 5, 530},
  };
}

TEST_CASE("winograd weight gradient: agrees with the reference") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const Case& c : listed_cases()) check_case(c);
  });
}

TEST_CASE("winograd weight gradient: random shapes agree with the reference") {
  std::mt19937 bits(11);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 100; ++i) {
    Case c{};
    c.batch = pick(1, 4);
    c.groups = pick(0, 3) == 0 ? 2 : 1;
    c.in_channels = c.groups * pick(1, 70);
    c.out_channels = c.groups * pick(1, 70);
    c.kernel = pick(3, 4);
    for (std::size_t d = 0; d < 2; ++d) {
      c.lo[d] = pick(0, 2);
      c.hi[d] = pick(0, 2);
    }
    c.height = pick(4, 13);
    c.width = pick(4, 13);
    check_case(c);
  }
}

TEST_CASE("winograd weight gradient: the number of threads changes no bit") {
  const int before = thread_count();
  for (const Case& c : listed_cases()) {
    INFO(describe(c));
    const Operands from(c);
    set_thread_count(1);
    const Floats one = run(c, from);
    for (int threads = 2; threads <= 4; ++threads) {
      set_thread_count(threads);
      const Floats several = run(c, from);
      CHECK(std::memcmp(one.data(), several.data(), one.size() * sizeof(float)) == 0);
    }
  }
  set_thread_count(before);
}

TEST_CASE("winograd weight gradient: a NaN reaches its taps, and others of its channel at most") {
  for (const std::int64_t kernel : {3, 4}) {
    for (const std::size_t pixel : {0, 7, 20, 63}) {
      const Case c{2, 33, 34, kernel, 8, 8};
      CAPTURE(kernel);
      CAPTURE(pixel);
      Operands from(c);
      from.x[64 * 5 + pixel] = std::numeric_limits<float>::quiet_NaN();
      const Floats got = run(c, from), want = reference(c, from);
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
  const Case c{2, 33, 34, 4, 9, 9, {0, 0}, {0, 0}};
  Operands from(c);
  const Floats want = run(c, from);
  for (std::size_t i = 0; i < from.x.size(); ++i) {
    if (i % 9 == 8 || i / 9 % 9 == 8) from.x[i] = std::numeric_limits<float>::quiet_NaN();
  }
  CHECK(run(c, from) == want);
}

}  // namespace
}  // namespace genera::cpu
