#include "backends/cpu/conv_dots.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/conv_parts.h"
#include "backends/cpu/conv_weight_gradient.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Chunks of images, for the threads.
constexpr std::int64_t kChunks = 8;

}  // namespace

bool ConvDots::suits(const ConvShape& shape) {
  if (shape.weights() == 0 || shape.batch * shape.out_plane() == 0) return false;
  const double sums = double(shape.in_channels * shape.taps());
  const double vectors =
      double(shape.out[0] * shape.out[1]) * double(ceil_div(shape.out[2], conv_kernels().lanes));
  // Loads mostly cross cache lines: measured, 2.5 clock cycles for a multiply-add.
  return double(shape.out_channels) * sums * vectors * 2.5 < ConvWeightGradient::cost(shape);
}

ConvDots::ConvDots(const ConvShape& shape) : shape_(shape) {
  ConvShape forward = shape;
  forward.role = ConvAttrs::out;
  plan_ = plan_correlation(forward, false);
  chunks_ = std::min(shape.batch, ceil_div(kChunks, shape.groups));
}

// Adds the dots of one image, or a band of its rows, to sums[weight][lane].
void ConvDots::add_unit(const float* source, const float* y, std::int64_t rows, float* sums) const {
  const ConvKernels& kernels = *plan_.kernels;
  const CorrelationPhase& phase = plan_.phases[0];
  const std::int64_t width = shape_.out[2];
  for (std::int64_t co = 0; co < shape_.out_channels; ++co) {
    for (std::int64_t k = 0; k < phase.depth(); k += kConvMaxDots) {
      const std::int64_t count = std::min<std::int64_t>(kConvMaxDots, phase.depth() - k);
      for (std::int64_t d = 0; d < shape_.out[0]; ++d) {
        kernels.dot_tile[count - 1](
            rows, width, y + (co * shape_.out[0] + d) * shape_.out[1] * width,
            source + d * plan_.source.depth_stride(), plan_.source.row_stride(),
            phase.offsets.data() + k, sums + (co * phase.depth() + k) * kernels.lanes);
      }
    }
  }
}

// Task = (group, chunk of images): its weights' sums go to partials.
void ConvDots::run_task(std::int64_t task, const float* x, const float* y, float* scratch,
                        float* partials) const {
  const std::int64_t lanes = plan_.kernels->lanes;
  const std::int64_t group = task / chunks_;
  const std::int64_t chunk = task % chunks_;
  float* sums = scratch;
  float* padded = scratch + whole_lines(group_weights() * lanes);
  std::fill_n(sums, group_weights() * lanes, 0.0f);
  const std::int64_t x_image = shape_.groups * shape_.in_channels * shape_.in_plane();
  const std::int64_t y_image = shape_.groups * shape_.out_channels * shape_.out_plane();
  for (std::int64_t band = 0; band < plan_.bands; ++band) {
    const std::int64_t row = band * plan_.band;
    const std::int64_t rows = std::min(plan_.band, shape_.out[1] - row);
    const std::int64_t begin = chunk * shape_.batch / chunks_;
    const std::int64_t end = (chunk + 1) * shape_.batch / chunks_;
    for (std::int64_t image = begin; image < end; ++image) {
      const float* source = x + image * x_image + group * shape_.in_channels * shape_.in_plane();
      if (plan_.source.in_place()) {
        source += row * plan_.source.row_stride();
      } else {
        plan_.source.fill(source, 0, 1, row, image == begin, padded);
        source = padded;
      }
      add_unit(source,
               y + image * y_image + group * shape_.out_channels * shape_.out_plane() +
                   row * shape_.out[2],
               rows, sums);
    }
  }
  float* to = partials + (chunk * shape_.groups + group) * group_weights();
  for (std::int64_t i = 0; i < group_weights(); ++i, sums += lanes) {
    to[i] = 0;
    for (std::int64_t l = 0; l < lanes; ++l) to[i] += sums[l];
  }
}

void ConvDots::run(const float* x, const float* y, float* w) const {
  const std::int64_t tasks = shape_.groups * chunks_;
  const std::int64_t parts = conv_parts(shape_.multiply_adds(), tasks);
  const std::int64_t floats =
      whole_lines(group_weights() * plan_.kernels->lanes) + plan_.source.scratch(1);
  // Each thread's share begins on a page of its own.
  const std::int64_t share = whole_pages(floats);
  float* scratch = thread_scratch(parts * share + chunks_ * shape_.weights());
  float* partials = scratch + parts * share;
  parallel_parts(Shares(parts), tasks, [&](std::int64_t part, std::int64_t task, std::int64_t end) {
    for (; task < end; ++task) run_task(task, x, y, scratch + part * share, partials);
  });
  std::copy_n(partials, shape_.weights(), w);
  for (std::int64_t chunk = 1; chunk < chunks_; ++chunk) {
    const float* more = partials + chunk * shape_.weights();
    for (std::int64_t i = 0; i < shape_.weights(); ++i) w[i] += more[i];
  }
}

}  // namespace genera::cpu
