// Convolutions to test: shapes, operands, and what the reference loops make of them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_step.h"
#include "backends/reference/primitives.h"
#include "engine/graph/attributes.h"
#include "tests/thread_scope.h"

namespace genera::cpu {

using Floats = std::vector<float>;

// Shapes of one convolution.
struct Case {
  ConvAttrs attrs;
  Shape x, w, y;

  const Shape& operand(int index) const { return index == 0 ? x : (index == 1 ? w : y); }
};

struct Axis {
  std::int64_t in, kernel, stride = 1, lo = 0, hi = 0, dilation = 1;
};

inline Case make_case(std::int64_t batch, std::int64_t in_channels, std::int64_t out_channels,
                      const std::vector<Axis>& axes, std::int64_t groups = 1) {
  Case made{};
  made.attrs.spatial = static_cast<std::int64_t>(axes.size());
  made.attrs.groups = groups;
  made.x = Shape{batch, in_channels};
  made.w = Shape{out_channels, in_channels / groups};
  made.y = Shape{batch, out_channels};
  for (std::size_t d = 0; d < axes.size(); ++d) {
    const Axis& axis = axes[d];
    made.attrs.stride[d] = axis.stride;
    made.attrs.pad_lo[d] = axis.lo;
    made.attrs.pad_hi[d] = axis.hi;
    made.attrs.dilation[d] = axis.dilation;
    const std::int64_t room = axis.in + axis.lo + axis.hi - (axis.kernel - 1) * axis.dilation - 1;
    REQUIRE(room >= 0);
    made.x = made.x.appended(axis.in);
    made.w = made.w.appended(axis.kernel);
    made.y = made.y.appended(room / axis.stride + 1);
  }
  return made;
}

inline std::vector<Axis> square(std::int64_t in, std::int64_t kernel, std::int64_t stride,
                                std::int64_t pad) {
  return {2, Axis{in, kernel, stride, pad, pad}};
}

inline Floats random_floats(const Shape& shape, unsigned seed) {
  std::mt19937 bits(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  Floats values(static_cast<std::size_t>(shape.elements()));
  for (float& value : values) value = uniform(bits);
  return values;
}

// Inputs and output of a role, as numbers of Case::operand.
struct Roles {
  int first, second, output;
};

inline Roles roles_of(ConvAttrs::Role role) {
  if (role == ConvAttrs::out) return {0, 1, 2};
  return role == ConvAttrs::grad_input ? Roles{2, 1, 0} : Roles{0, 2, 1};
}

// Runs a step of the CPU backend, and the reference.
class Call {
 public:
  Call(const Case& shapes, ConvAttrs::Role role, unsigned seed = 1)
      : roles_(roles_of(role)), shapes_(shapes) {
    attrs_ = shapes.attrs;
    attrs_.role = role;
    step_.op = Op::Conv;
    step_.attrs.resize(sizeof attrs_);
    std::memcpy(step_.attrs.data(), &attrs_, sizeof attrs_);
    step_.inputs = {operand(0, roles_.first), operand(1, roles_.second)};
    step_.outputs = {operand(2, roles_.output)};
    first = random_floats(shapes.operand(roles_.first), seed);
    second = random_floats(shapes.operand(roles_.second), seed + 1);
    runner_ = make_conv_runner(step_);
  }

  ConvShape shape() const { return conv_shape(step_); }

  Floats run() {
    return run([&](float* output) {
      void* addresses[] = {first.data(), second.data(), output};
      runner_->run(addresses, {});
    });
  }

  // The output that compute(address) writes.
  template <class Compute>
  Floats run(const Compute& compute) const {
    // A guard behind the output must stay, and every element must be written.
    const auto size = static_cast<std::size_t>(shapes_.operand(roles_.output).elements());
    Floats output(size + 16, std::numeric_limits<float>::quiet_NaN());
    compute(output.data());
    for (std::size_t i = size; i < output.size(); ++i) REQUIRE(std::isnan(output[i]));
    output.resize(size);
    return output;
  }

  Floats reference() const { return reference(first, second); }

  // What the sum of the terms' magnitudes is: the scale of rounding errors.
  Floats magnitudes() const {
    Floats a = first, b = second;
    for (float& value : a) value = std::abs(value);
    for (float& value : b) value = std::abs(value);
    return reference(a, b);
  }

  // The same for role `out` and `grad_input` where the pixels of a tile of `tile` x `tile` are made
  // from all that the tile reads, and each tap from sums of taps.
  Floats tile_magnitudes(std::int64_t tile) const {
    Floats a = first, w = second;
    for (float& value : a) value = std::abs(value);
    const auto taps = static_cast<std::size_t>(shape().taps());
    for (std::size_t i = 0; i < w.size(); i += taps) {
      float sum = 0;
      for (std::size_t t = 0; t < taps; ++t) sum += std::abs(w[i + t]);
      std::fill_n(w.begin() + static_cast<std::ptrdiff_t>(i), taps, sum);
    }
    Floats scale = reference(a, w);
    const Shape& size = shapes_.operand(roles_.output);
    const std::int64_t height = size[2], width = size[3];
    for (std::int64_t plane = 0; plane < size[0] * size[1]; ++plane) {
      float* pixels = scale.data() + plane * height * width;
      for (std::int64_t h = 0; h < height; h += tile) {
        for (std::int64_t w0 = 0; w0 < width; w0 += tile)
          spread(pixels + h * width + w0, width, std::min(tile, height - h),
                 std::min(tile, width - w0));
      }
    }
    return scale;
  }

  Floats first, second;

 private:
  // Each pixel becomes the sum of all.
  static void spread(float* pixels, std::int64_t stride, std::int64_t rows, std::int64_t cols) {
    float sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < cols; ++c) sum += pixels[r * stride + c];
    }
    for (std::int64_t r = 0; r < rows; ++r) std::fill_n(pixels + r * stride, cols, sum);
  }

  PlanOperand operand(int buffer, int index) const {
    PlanOperand made;
    made.buffer = buffer;
    made.shape = shapes_.operand(index);
    made.dtype = DType::f32;
    return made;
  }

  Floats reference(const Floats& a, const Floats& b) const {
    const Shape& shape = shapes_.operand(roles_.output);
    Floats output(static_cast<std::size_t>(shape.elements()));
    const reference::Input inputs[] = {{a.data(), DType::f32, shapes_.operand(roles_.first)},
                                       {b.data(), DType::f32, shapes_.operand(roles_.second)}};
    const reference::Output outputs[] = {{output.data(), DType::f32, shape}};
    reference::run(Op::Conv, &attrs_, inputs, outputs);
    return output;
  }

  Roles roles_;
  Case shapes_;
  ConvAttrs attrs_{};
  PrimitiveStep step_;
  std::unique_ptr<StepRunner> runner_;
};

inline std::string describe(const Case& shapes, int role) {
  return "role " + std::to_string(role) + " x " + to_string(shapes.x) + " w " +
         to_string(shapes.w) + " y " + to_string(shapes.y) + " stride " +
         std::to_string(shapes.attrs.stride[0]) + " pad " + std::to_string(shapes.attrs.pad_lo[0]) +
         " dilation " + std::to_string(shapes.attrs.dilation[0]) + " groups " +
         std::to_string(shapes.attrs.groups);
}

inline void check_close(const Floats& got, const Floats& want, const Floats& scale,
                        float tolerance) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - want[i]) <= tolerance * scale[i] + 1e-30f) continue;
    CAPTURE(i);
    CAPTURE(std::abs(got[i] - want[i]) / scale[i]);
    CHECK(got[i] == want[i]);
    return;
  }
}

// Of weight_tile_magnitudes().
inline constexpr float kWeightTileTolerance = 5e-8f;

// For each weight the sum of |x| * |y| over all pairs of pixels that may share a tile: those that a
// kernel joins that is a stride wider on each side.
inline Floats weight_tile_magnitudes(const Case& shapes, const Call& call) {
  Case wide = shapes;
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t more = shapes.attrs.stride[d];
    const int axis = static_cast<int>(d) + 2;
    wide.attrs.pad_lo[d] += more;
    wide.attrs.pad_hi[d] += more;
    wide.w = wide.w.with(axis, shapes.w[axis] + 2 * more);
  }
  Call joined(wide, ConvAttrs::grad_weight);
  joined.first = call.first;
  joined.second = call.second;
  const Floats products = joined.magnitudes();
  const auto taps = static_cast<std::size_t>(shapes.w[2] * shapes.w[3]);
  const auto all = static_cast<std::size_t>(wide.w[2] * wide.w[3]);
  Floats sums(static_cast<std::size_t>(shapes.w.elements()));
  for (std::size_t i = 0; i < sums.size(); i += taps) {
    float sum = 0;
    for (std::size_t t = 0; t < all; ++t) sum += products[i / taps * all + t];
    std::fill_n(sums.begin() + static_cast<std::ptrdiff_t>(i), taps, sum);
  }
  return sums;
}

/// The bits that `run` gives on 1 to 4 threads are the same.
template <class Run>
void check_threads(const Run& run) {
  Floats one;
  for (int threads = 1; threads <= 4; ++threads) {
    const ThreadScope scope(threads);
    const Floats made = run();
    if (threads == 1) one = made;
    CHECK(std::memcmp(one.data(), made.data(), one.size() * sizeof(float)) == 0);
  }
  const UnequalSpeeds unequal(3);
  const ThreadScope scope(3);
  const Floats made = run();
  CHECK(std::memcmp(one.data(), made.data(), one.size() * sizeof(float)) == 0);
}

}  // namespace genera::cpu
