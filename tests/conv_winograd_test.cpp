// Winograd's convolution against the reference loops, whether it is the faster one or not.
#include "backends/cpu/conv_winograd.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "tests/conv_cases.h"
#include "tests/simd_targets.h"

namespace genera::cpu {
namespace {

constexpr ConvAttrs::Role kRoles[] = {ConvAttrs::out, ConvAttrs::grad_input};

// Pixels of a tile along one axis.
std::int64_t tile_of(const Call& call) {
  return kWinogradTile * WinogradTiles(call.shape()).step();
}

Floats run(const Call& call, const ConvEpilogue* epilogue = nullptr) {
  const ConvWinograd convolution(call.shape());
  return call.run([&](float* output) {
    convolution.run(call.first.data(), call.second.data(), output, epilogue);
  });
}

void check_case(const Case& shapes) {
  for (const auto role : kRoles) {
    INFO(describe(shapes, role));
    const Call call(shapes, role);
    REQUIRE(WinogradTiles::applies(call.shape()));
    check_close(run(call), call.reference(), call.tile_magnitudes(tile_of(call)), 3e-7f);
  }
}

std::vector<Case> listed_cases() {
  return {
      // The workloads' layers, with fewer images.
      make_case(2, 64, 64, square(32, 3, 1, 1)),
      make_case(3, 64, 128, square(16, 4, 2, 1)),
      make_case(9, 32, 64, square(14, 4, 2, 1)),
      // Each padding, odd sizes, partial tiles, one-sided padding, channels of no round number.
      make_case(3, 33, 47, square(7, 3, 1, 0)),
      make_case(3, 47, 34, square(7, 3, 1, 2)),
      make_case(3, 130, 37, square(9, 4, 2, 0)),
      make_case(3, 37, 130, square(9, 4, 2, 2)),
      make_case(2, 40, 35, square(11, 2, 1, 0)),
      make_case(2, 35, 40, square(10, 2, 1, 1)),
      make_case(2, 33, 50, {Axis{13, 3, 1, 2, 0}, Axis{10, 3, 1, 0, 1}}),
      make_case(2, 33, 50, {Axis{13, 4, 2, 3, 0}, Axis{10, 4, 2, 0, 1}}),
      make_case(2, 33, 50, {Axis{12, 4, 2, 0, 3}, Axis{11, 4, 2, 2, 1}}),
      // Pixels that no tap reads, and taps that read nothing but padding.
      make_case(2, 3, 5, {Axis{9, 4, 2, 0, 0}, Axis{7, 4, 2, 0, 0}}),
      make_case(2, 3, 5, {Axis{1, 3, 1, 4, 5}, Axis{2, 3, 1, 5, 3}}),
      make_case(2, 3, 5, {Axis{1, 4, 2, 5, 4}, Axis{2, 4, 2, 6, 7}}),
      make_case(1, 1, 1, square(2, 2, 1, 0)),
      // Narrow and wide images.
      make_case(33, 32, 32, {Axis{9, 3, 1, 1, 1}, Axis{2, 3, 1, 1, 1}}),
      make_case(33, 32, 32, {Axis{2, 4, 2, 1, 1}, Axis{3, 4, 2, 1, 1}}),
      make_case(33, 40, 33, square(4, 3, 1, 1)),
      make_case(33, 33, 40, square(6, 4, 2, 1)),
      make_case(1, 32, 33, {Axis{5, 3, 1, 1, 1}, Axis{7, 3, 1, 1, 1}}),
      make_case(1, 3, 32, {Axis{3, 3, 1, 1, 1}, Axis{530, 3, 1, 1, 1}}),
      make_case(1, 32, 3, {Axis{4, 4, 2, 1, 1}, Axis{530, 4, 2, 1, 1}}),
      make_case(1, 16, 40, square(61, 3, 1, 1)),
      // Groups, and more channels than are transformed at a time.
      make_case(3, 2 * 33, 2 * 35, square(9, 3, 1, 1), 2),
      make_case(3, 3 * 32, 3 * 17, square(10, 4, 2, 1), 3),
      make_case(2, 200, 300, square(6, 3, 1, 1)),
      make_case(5, 256, 129, square(8, 4, 2, 1)),
  };
}

TEST_CASE("winograd: agrees with the reference") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const Case& shapes : listed_cases()) check_case(shapes);
  });
}

TEST_CASE("winograd: random shapes agree with the reference") {
  std::mt19937 bits(5);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(bits() % static_cast<unsigned>(high - low + 1));
  };
  for (int i = 0; i < 150; ++i) {
    const std::int64_t kernel = pick(2, 4), stride = kernel == 4 ? 2 : 1;
    std::vector<Axis> axes(2);
    for (Axis& axis : axes)
      axis = {pick(kernel, 19), kernel, stride, pick(0, kernel), pick(0, kernel)};
    const std::int64_t groups = pick(0, 3) == 0 ? pick(2, 3) : 1;
    check_case(make_case(pick(1, 9), groups * pick(1, 40), groups * pick(1, 40), axes, groups));
  }
}

TEST_CASE("winograd: the number of threads changes no bit") {
  for (const Case& shapes : listed_cases()) {
    for (const auto role : kRoles) {
      INFO(describe(shapes, role));
      const Call call(shapes, role);
      check_threads([&] { return run(call); });
    }
  }
}

// Pixels whose tile does not read the NaN keep their bits, those whose taps reach it are NaN.
TEST_CASE("winograd: a NaN stays in its tiles") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Case& shapes :
       {make_case(2, 3, 20, square(11, 3, 1, 1)), make_case(2, 3, 20, square(13, 4, 2, 1))}) {
    for (const auto role : kRoles) {
      INFO(describe(shapes, role));
      Call call(shapes, role);
      const Floats before = run(call);
      call.first[17] = nan;
      const Floats got = run(call), want = call.reference();
      // Not a number at each pixel of the tiles that read the NaN.
      const Floats spread = call.tile_magnitudes(tile_of(call));
      for (std::size_t i = 0; i < got.size(); ++i) {
        if (std::isnan(want[i])) REQUIRE(std::isnan(got[i]));
        if (!std::isnan(spread[i])) REQUIRE(got[i] == before[i]);
      }
    }
  }
}

// Notes which pixels it was given and what they held.
class Notes final : public ConvEpilogue {
 public:
  mutable std::vector<Floats> seen;

  Notes(const Shape& shape, const float* output)
      : seen(static_cast<std::size_t>(shape.elements())), shape_(shape), output_(output) {}

  void run(const ConvBlock& block) const override {
    const std::int64_t plane = shape_[2] * shape_[3];
    const std::scoped_lock lock(mutex_);
    for (std::int64_t n = block.begin[0]; n < block.end[0]; ++n) {
      for (std::int64_t c = block.begin[1]; c < block.end[1]; ++c) {
        for (std::int64_t p = block.begin[2]; p < block.end[2]; ++p) {
          const auto at = static_cast<std::size_t>((n * shape_[1] + c) * plane + p);
          seen.at(at).push_back(output_[at]);
        }
      }
    }
  }

 private:
  Shape shape_;
  const float* output_;
  mutable std::mutex mutex_;
};

TEST_CASE("winograd: an epilogue sees each pixel once, final") {
  const ThreadScope scope(3);
  for (const Case& shapes : listed_cases()) {
    if (shapes.x.elements() > 30000) continue;
    for (const auto role : kRoles) {
      INFO(describe(shapes, role));
      const Call call(shapes, role);
      const ConvWinograd convolution(call.shape());
      std::vector<Floats> seen;
      const Floats output = call.run([&](float* to) {
        const Notes notes(role == ConvAttrs::out ? shapes.y : shapes.x, to);
        convolution.run(call.first.data(), call.second.data(), to, &notes);
        seen = notes.seen;
      });
      for (std::size_t i = 0; i < output.size(); ++i) REQUIRE(seen[i] == Floats{output[i]});
    }
  }
}

TEST_CASE("winograd: chosen where channels are many, never for thin or strided kernels") {
  const auto chosen = [](const Case& shapes, ConvAttrs::Role role) {
    return ConvWinograd::suits(Call(shapes, role).shape());
  };
  for (const auto role : kRoles) {
    CHECK(chosen(make_case(32, 64, 64, square(32, 3, 1, 1)), role));
    CHECK(chosen(make_case(64, 64, 128, square(16, 4, 2, 1)), role));
    CHECK(!chosen(make_case(32, 1, 64, square(32, 3, 1, 1)), role));
    CHECK(!chosen(make_case(32, 128, 2, square(16, 3, 1, 1)), role));
    CHECK(!chosen(make_case(1, 256, 256, square(4, 4, 2, 1)), role));
    CHECK(!chosen(make_case(32, 64, 64, square(32, 3, 2, 1)), role));
    CHECK(!chosen(make_case(32, 64, 64, square(32, 5, 1, 2)), role));
    CHECK(!chosen(make_case(32, 64, 64, {2, Axis{32, 3, 1, 2, 2, 2}}), role));
  }
}

}  // namespace
}  // namespace genera::cpu
