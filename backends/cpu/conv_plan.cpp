#include "backends/cpu/conv_plan.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "backends/cpu/rounding.h"

namespace genera::cpu {
namespace {

// Floats of padded source images that one unit of work holds, if it can: half of a small L2.
constexpr std::int64_t kSourceBudget = 32 * 1024;
// Beyond this an image is cut into bands of rows.
constexpr std::int64_t kBandBudget = 256 * 1024;
// Floats of packed weights that stay in a large L2 while units pass over them.
constexpr std::int64_t kWeightBudget = 288 * 1024;
// Units that a batch is cut into at least, for the threads.
constexpr std::int64_t kUnits = 16;
// Loads at odd addresses mostly cross two cache lines; measured, in plain loads.
constexpr double kSplitLoad = 5;
constexpr double kNever = std::numeric_limits<double>::infinity();

// A tap that reaches a phase: the residue and index of the source pixel that it reads for the
// phase's first pixel.
struct AxisTap {
  std::int64_t tap, residue, index;
};

// The taps of each phase along one axis.
using AxisTaps = std::vector<std::vector<AxisTap>>;

std::int64_t phase_count(std::int64_t size, std::int64_t step, std::int64_t residue) {
  return size > residue ? ceil_div(size - residue, step) : 0;
}

// Role out: dest pixel o reads source pixel o * stride + k * dilation - pad.
AxisTaps split_source(const ConvShape& shape, std::size_t d, SourceAxis& axis) {
  axis.size = shape.in[d];
  axis.step = shape.stride[d];
  axis.lo = shape.pad[d];
  axis.plane.assign(static_cast<std::size_t>(axis.step), -1);
  axis.planes = 0;
  axis.extent = 0;
  AxisTaps taps(1);
  for (std::int64_t k = 0; k < shape.kernel[d]; ++k) {
    const std::int64_t u = k * shape.dilation[d];
    std::int64_t& plane = axis.plane[static_cast<std::size_t>(u % axis.step)];
    if (plane < 0) plane = axis.planes++;
    taps[0].push_back({k, u % axis.step, u / axis.step});
    axis.extent = std::max(axis.extent, u / axis.step + shape.out[d]);
  }
  return taps;
}

// Role grad_input: dest pixel i reads source pixel (i + pad - k * dilation) / stride where that
// divides.
AxisTaps split_dest(const ConvShape& shape, std::size_t d, SourceAxis& axis) {
  const std::int64_t stride = shape.stride[d];
  axis = SourceAxis{};
  axis.size = shape.out[d];
  AxisTaps taps(static_cast<std::size_t>(stride));
  for (std::int64_t residue = 0; residue < stride; ++residue) {
    for (std::int64_t k = 0; k < shape.kernel[d]; ++k) {
      const std::int64_t at = residue + shape.pad[d] - k * shape.dilation[d];
      if (at % stride != 0) continue;
      taps[static_cast<std::size_t>(residue)].push_back({k, 0, at / stride});
      axis.lo = std::max(axis.lo, -at / stride);
    }
  }
  for (std::int64_t residue = 0; residue < stride; ++residue) {
    for (AxisTap& tap : taps[static_cast<std::size_t>(residue)]) {
      tap.index += axis.lo;
      axis.extent = std::max(axis.extent, tap.index + phase_count(shape.in[d], stride, residue));
    }
  }
  return taps;
}

// The phases with their taps, before it is known how the source lies.
struct PhaseTaps {
  std::array<AxisTaps, 3> axes;

  // Calls body(tap, residues, indices) for the taps of a phase, in the kernel's order.
  template <class Body>
  void for_each(const CorrelationPhase& phase, const std::array<std::int64_t, 3>& kernel,
                const Body& body) const {
    const auto& d = axes[0][static_cast<std::size_t>(phase.residue[0])];
    const auto& h = axes[1][static_cast<std::size_t>(phase.residue[1])];
    const auto& w = axes[2][static_cast<std::size_t>(phase.residue[2])];
    for (const AxisTap& a : d) {
      for (const AxisTap& b : h) {
        for (const AxisTap& c : w) {
          body((a.tap * kernel[1] + b.tap) * kernel[2] + c.tap,
               std::array{a.residue, b.residue, c.residue}, std::array{a.index, b.index, c.index});
        }
      }
    }
  }
};

void add_phases(const ConvShape& shape, const PhaseTaps& taps, CorrelationPlan& plan) {
  const auto& step = plan.dest_step;
  for (std::int64_t d = 0; d < step[0]; ++d) {
    for (std::int64_t h = 0; h < step[1]; ++h) {
      for (std::int64_t w = 0; w < step[2]; ++w) {
        CorrelationPhase phase;
        phase.residue = {d, h, w};
        for (std::size_t i = 0; i < 3; ++i) {
          phase.count[i] = phase_count(plan.dest_size[i], step[i], phase.residue[i]);
        }
        taps.for_each(phase, shape.kernel, [&](std::int64_t tap, const auto&, const auto&) {
          phase.taps.push_back(tap);
        });
        plan.phases.push_back(std::move(phase));
      }
    }
  }
}

void add_planes(const ConvShape& shape, const PhaseTaps& taps, const ConvSource::Axes& axes,
                CorrelationPlan& plan) {
  const auto& size = plan.source_size;
  for (CorrelationPhase& phase : plan.phases) {
    phase.planes.resize(static_cast<std::size_t>(phase.count[0]));
    for (std::size_t d = 0; d < phase.planes.size(); ++d) {
      taps.for_each(phase, shape.kernel, [&](std::int64_t tap, const auto&, const auto& index) {
        const std::int64_t z = static_cast<std::int64_t>(d) + index[0] - axes[0].lo;
        const std::int64_t y = index[1] - axes[1].lo;
        const std::int64_t x = index[2] - axes[2].lo;
        if (z < 0 || z >= size[0]) return;
        ShiftedPlane plane;
        plane.offset = tap * plan.source_plane + (z * size[1] + y) * size[2] + x;
        plane.row_begin = -y;
        plane.row_end = size[1] - y;
        plane.col_begin = -x;
        plane.col_end = size[2] - x;
        phase.planes[d].push_back(plane);
      });
    }
  }
}

void add_offsets(const ConvShape& shape, const PhaseTaps& taps, const ConvSource::Axes& axes,
                 CorrelationPlan& plan) {
  const bool planes = plan.lanes == CorrelationLanes::taps;
  if (planes) add_planes(shape, taps, axes, plan);
  std::int64_t weights = 0;
  std::int64_t scratch = 0;
  for (CorrelationPhase& phase : plan.phases) {
    phase.offsets.reserve(phase.taps.size() * static_cast<std::size_t>(plan.source_channels));
    for (std::int64_t c = 0; c < plan.source_channels && !planes; ++c) {
      taps.for_each(phase, shape.kernel,
                    [&](std::int64_t, const auto& residues, const auto& indices) {
                      phase.offsets.push_back(c * plan.source.channel_stride() +
                                              plan.source.offset(residues, indices));
                    });
    }
    phase.weights = weights;
    weights += phase.depth() * plan.panel_width;
    phase.scratch = scratch;
    scratch += phase.count[0] * std::min(plan.band, phase.count[1]) * phase.count[2];
  }
  if (plan.lanes == CorrelationLanes::channels && plan.dest_step[2] <= kMaxJoinedPhases) {
    plan.joined = plan.dest_step[2];
  } else if (plan.phases.size() > 1) {
    plan.dest_scratch = scratch;
  }
  for (std::int64_t c = 0; c < plan.source_channels && planes; ++c) {
    plan.channel_offsets.push_back(c * plan.source.channel_stride());
  }
}

// Clock cycles of one k of a tile: two multiply-adds or loads each, and four accumulators at least
// to hide a multiply-add's latency.
double tile_step(double multiply_adds, double loads) {
  return std::max({4.0, multiply_adds / 2, loads / 2});
}

// Clock cycles of one image with dest channels in the lanes.
double lane_cost(const CorrelationPlan& plan) {
  const ConvKernels& kernels = *plan.kernels;
  const std::int64_t vectors = ceil_div(plan.dest_channels, kernels.lanes);
  double cost = 0;
  for (const CorrelationPhase& phase : plan.phases) {
    const std::int64_t pieces = ceil_div(phase.count[2], kernels.rows);
    if (pieces == 0) continue;
    const std::int64_t most = kernels.rows / ceil_div(phase.count[2], pieces);
    const double groups = double(std::clamp<std::int64_t>(most, 1, kConvMaxGroups));
    const double rows = groups * double(phase.count[2]) / double(pieces);
    const double tiles = double(phase.count[0] * phase.count[1] * pieces) / groups;
    const double depth = double(phase.depth());
    cost += tiles * double(vectors / 2) * (depth * tile_step(2 * rows, rows + 2) + 30 + 18 * rows);
    cost += tiles * double(vectors % 2) * (depth * tile_step(rows, rows + 1) + 30 + 9 * rows);
  }
  return cost;
}

// The same for `channels` channels with `lines` vectors of pixels in the lanes.
double pixel_lane_cost(const ConvKernels& kernels, std::int64_t channels, double lines,
                       double depth, double load) {
  const double panels = double(ceil_div(channels, kernels.rows));
  const double rows = double(channels) / panels;
  const double vectors = std::min(lines, rows <= double(kernels.wide_rows) ? 4.0 : 2.0);
  return panels * lines / vectors *
         (depth * tile_step(rows * vectors, rows + load * vectors) + 30 + 1.5 * rows * vectors);
}

double pixel_cost(const CorrelationPlan& plan) {
  double cost = 0;
  for (const CorrelationPhase& phase : plan.phases) {
    const std::int64_t pieces = ceil_div(phase.count[2], plan.kernels->lanes);
    const double lines = double(phase.count[0] * phase.count[1] * pieces);
    if (lines == 0) continue;
    cost += pixel_lane_cost(*plan.kernels, plan.dest_channels, lines, double(phase.depth()),
                            kSplitLoad);
  }
  return cost;
}

double tap_cost(const CorrelationPlan& plan, const ConvSource::Axes& axes) {
  const ConvKernels& kernels = *plan.kernels;
  const std::int64_t rows = plan.dest_channels * plan.taps;
  if (axes[0].step * axes[1].step * axes[2].step != 1) return kNever;
  if (plan.source_plane < kernels.lanes || rows * plan.source_plane > kBandBudget) return kNever;
  const double lines = double(axes[0].size * axes[1].size * ceil_div(axes[2].size, kernels.lanes));
  // Planes that leave L1 are slower to add up.
  const double sum = rows * plan.source_plane > 8192 ? 8 : 4;
  return pixel_lane_cost(kernels, rows, double(ceil_div(plan.source_plane, kernels.lanes)),
                         double(plan.source_channels), kSplitLoad / 2) +
         sum * double(rows) * lines;
}

void choose_lanes(const ConvSource::Axes& axes, bool allow_taps, CorrelationPlan& plan) {
  const double lane = lane_cost(plan);
  const double pixel = pixel_cost(plan);
  const double tap = allow_taps ? tap_cost(plan, axes) : kNever;
  plan.cost = std::min({lane, pixel, tap});
  plan.lanes = pixel < lane ? CorrelationLanes::pixels : CorrelationLanes::channels;
  if (tap < lane && tap < pixel) plan.lanes = CorrelationLanes::taps;
}

void make_panels(CorrelationPlan& plan) {
  const ConvKernels& kernels = *plan.kernels;
  const bool channels = plan.lanes == CorrelationLanes::channels;
  const std::int64_t lines =
      plan.dest_channels * (plan.lanes == CorrelationLanes::taps ? plan.taps : 1);
  const std::int64_t most = channels ? std::int64_t{kConvMaxVectors} * kernels.lanes
                                     : ceil_div(lines, ceil_div(lines, kernels.rows));
  for (std::int64_t c = 0; c < lines; c += most) {
    CorrelationPanel panel;
    panel.channel = c;
    panel.count = std::min(most, lines - c);
    panel.width = channels ? ceil_div(panel.count, kernels.lanes) * kernels.lanes : panel.count;
    panel.begin = plan.panel_width;
    plan.panel_width += panel.width;
    plan.panels.push_back(panel);
  }
  if (plan.lanes == CorrelationLanes::taps) return;
  const auto count = static_cast<std::int64_t>(plan.panels.size());
  plan.panel_groups =
      std::clamp<std::int64_t>(ceil_div(plan.group_weights(), kWeightBudget), 1, count);
}

// Rows of a phase that one unit makes: all, unless the padded image would not stay in L2 or there
// are too few images to share out.
std::int64_t choose_band(const CorrelationPlan& plan, std::int64_t most, std::int64_t halo,
                         std::int64_t row_floats) {
  std::int64_t band = most;
  if (plan.batch < kUnits / 2) {
    const std::int64_t wanted = ceil_div(kUnits / 2, plan.batch);
    band =
        std::max<std::int64_t>(ceil_div(most, wanted), std::min<std::int64_t>(most, 2 * halo + 2));
  }
  if (!plan.source.in_place() && (band + halo) * row_floats > kBandBudget) {
    const std::int64_t least = std::min<std::int64_t>(band, 8);
    band = std::clamp<std::int64_t>(kBandBudget / row_floats - halo, least, band);
  }
  return ceil_div(most, ceil_div(most, band));
}

void make_units(const PhaseTaps& taps, ConvSource::Axes axes, CorrelationPlan& plan) {
  const std::int64_t most = ceil_div(plan.dest_size[1], plan.dest_step[1]);
  if (plan.lanes == CorrelationLanes::taps) {
    for (SourceAxis& axis : axes) {
      axis.lo = 0;
      axis.extent = axis.size;
    }
    plan.band = most;
    plan.source = ConvSource(axes, plan.source_channels, axes[1].extent, true);
    return;
  }
  // Rows of the source that a band reads beyond its own number.
  std::int64_t halo = 0;
  for (const auto& phase : taps.axes[1]) {
    for (const AxisTap& tap : phase) halo = std::max(halo, tap.index);
  }
  const std::int64_t extent = axes[1].extent;
  plan.source =
      ConvSource(axes, plan.source_channels, extent, plan.lanes == CorrelationLanes::channels);
  const std::int64_t row_floats = plan.source.image_stride() / std::max<std::int64_t>(1, extent);
  plan.band = choose_band(plan, most, halo, std::max<std::int64_t>(1, row_floats));
  plan.bands = ceil_div(most, plan.band);
  if (plan.bands > 1) {
    if (!plan.source.in_place()) {
      plan.source = ConvSource(axes, plan.source_channels, plan.band + halo, false);
    }
    return;
  }
  const std::int64_t image = std::max<std::int64_t>(1, plan.source.image_stride());
  const std::int64_t fitting = std::max<std::int64_t>(1, kSourceBudget / image);
  plan.images = std::clamp<std::int64_t>(ceil_div(plan.batch, kUnits), 1, fitting);
}

}  // namespace

std::int64_t CorrelationPlan::multiply_adds() const {
  std::int64_t pixels = 0;
  for (const CorrelationPhase& phase : phases) {
    pixels += phase.count[0] * phase.count[1] * phase.count[2] *
              static_cast<std::int64_t>(phase.taps.size());
  }
  return batch * groups * dest_channels * source_channels * pixels;
}

CorrelationPlan plan_correlation(const ConvShape& shape, bool allow_taps) {
  const bool forward = shape.role == ConvAttrs::out;
  CorrelationPlan plan;
  plan.kernels = &conv_kernels();
  plan.batch = shape.batch;
  plan.groups = shape.groups;
  plan.source_channels = forward ? shape.in_channels : shape.out_channels;
  plan.dest_channels = forward ? shape.out_channels : shape.in_channels;
  plan.source_plane = forward ? shape.in_plane() : shape.out_plane();
  plan.source_size = forward ? shape.in : shape.out;
  plan.dest_size = forward ? shape.out : shape.in;
  if (!forward) plan.dest_step = shape.stride;
  plan.taps = shape.taps();
  plan.dest_weight_stride = forward ? shape.in_channels * plan.taps : plan.taps;
  plan.source_weight_stride = forward ? plan.taps : shape.in_channels * plan.taps;
  ConvSource::Axes axes;
  PhaseTaps taps;
  for (std::size_t d = 0; d < 3; ++d) {
    taps.axes[d] = forward ? split_source(shape, d, axes[d]) : split_dest(shape, d, axes[d]);
  }
  add_phases(shape, taps, plan);
  for (CorrelationPhase& phase : plan.phases) {
    // Only the number of offsets counts for the choice.
    phase.offsets.resize(phase.taps.size() * static_cast<std::size_t>(plan.source_channels));
  }
  choose_lanes(axes, allow_taps, plan);
  for (CorrelationPhase& phase : plan.phases) phase.offsets.clear();
  make_panels(plan);
  make_units(taps, axes, plan);
  add_offsets(shape, taps, axes, plan);
  return plan;
}

}  // namespace genera::cpu
