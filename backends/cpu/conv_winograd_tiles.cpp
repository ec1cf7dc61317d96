#include "backends/cpu/conv_winograd_tiles.h"

#include <algorithm>
#include <cstddef>

namespace genera::cpu {
namespace {

// Floats that a source transform may read behind the last pixel.
constexpr std::int64_t kBehind = 3 * kConvMaxLanes;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

bool WinogradTiles::applies(const ConvShape& shape) {
  if (shape.in[0] != 1 || shape.out[0] != 1 || shape.kernel[0] != 1 || shape.pad[0] != 0)
    return false;
  if (shape.kernel[1] != shape.kernel[2] || shape.stride[1] != shape.stride[2]) return false;
  if (shape.dilation[1] != 1 || shape.dilation[2] != 1) return false;
  const std::int64_t step = shape.stride[2], kernel = shape.kernel[2];
  if (step > 2 || kernel % step != 0) return false;
  const std::int64_t taps = kernel / step;
  if (taps < kWinogradTaps || taps > kWinogradTaps + 1) return false;
  return shape.batch * shape.in_plane() * shape.out_plane() > 0 && shape.weights() > 0;
}

WinogradTiles::WinogradTiles(const ConvShape& shape, std::int64_t unit_tiles)
    : forward_(shape.role != ConvAttrs::grad_input),
      taps_(shape.kernel[2] / shape.stride[2]),
      source_step_(forward_ ? shape.stride[2] : 1),
      dest_step_(forward_ ? 1 : shape.stride[2]),
      kernel_(shape.kernel[2]),
      batch_(shape.batch),
      groups_(shape.groups),
      channels_(forward_ ? shape.in_channels : shape.out_channels),
      source_plane_(forward_ ? shape.in_plane() : shape.out_plane()),
      lanes_(winograd_kernels().lanes),
      panel_width_(2 * lanes_) {
  const ConvShape::Axes& dest = forward_ ? shape.out : shape.in;
  rows_ = ceil_div(dest[1], kWinogradTile * dest_step_);
  cols_ = ceil_div(dest[2], kWinogradTile * dest_step_);
  ConvSource::Axes axes;
  make_axes(shape, axes);
  make_units(unit_tiles);
  const std::int64_t rows = axes[1].extent - kWinogradTile * (rows_ - band_);
  source_ = ConvSource(axes, channels_, rows, false);
}

void WinogradTiles::make_axes(const ConvShape& shape, ConvSource::Axes& axes) {
  for (std::size_t d = 1; d < 3; ++d) {
    SourceAxis& axis = axes[d];
    std::vector<Start>& starts = starts_[d - 1];
    axis.size = forward_ ? shape.in[d] : shape.out[d];
    axis.step = axis.planes = source_step_;
    axis.plane.resize(static_cast<std::size_t>(source_step_));
    for (std::int64_t i = 0; i < source_step_; ++i) axis.plane[static_cast<std::size_t>(i)] = i;
    if (forward_) {
      // Dest pixel o reads source pixel o * stride + k - pad.
      axis.lo = shape.pad[d];
      starts.push_back({0, 0});
    } else {
      // Dest pixel i reads source pixel (i + pad - k) / stride where that divides.
      axis.lo = 0;
      for (std::int64_t residue = 0; residue < dest_step_; ++residue) {
        const std::int64_t most = kernel_ - dest_step_ + (residue + shape.pad[d]) % dest_step_;
        const std::int64_t first = (residue + shape.pad[d] - most) / dest_step_;
        axis.lo = std::max(axis.lo, -first);
        starts.push_back({first, most});
      }
      for (Start& start : starts) start.index += axis.lo;
    }
    std::int64_t last = 0;
    for (const Start& start : starts) last = std::max(last, start.index);
    axis.extent = last + kWinogradTile * (d == 1 ? rows_ : cols_) + taps_ - 1;
  }
}

// Whole images where they are small, else bands of equal height.
void WinogradTiles::make_units(std::int64_t unit_tiles) {
  const std::int64_t image = rows_ * cols_;
  if (image <= unit_tiles) {
    images_ = std::min(batch_, unit_tiles / image);
    band_ = rows_;
    return;
  }
  const std::int64_t most = std::max<std::int64_t>(1, unit_tiles / cols_);
  bands_ = ceil_div(rows_, most);
  band_ = ceil_div(rows_, bands_);
  bands_ = ceil_div(rows_, band_);
}

std::vector<std::int64_t> WinogradTiles::kernel_taps(std::int64_t dest_phase,
                                                     std::int64_t source_phase) const {
  std::array<std::vector<std::int64_t>, 2> axes;
  for (std::size_t d = 0; d < 2; ++d) {
    const std::int64_t dest = d == 0 ? dest_phase / dest_step_ : dest_phase % dest_step_;
    const std::int64_t source = d == 0 ? source_phase / source_step_ : source_phase % source_step_;
    for (std::int64_t i = 0; i < taps_; ++i) {
      axes[d].push_back(forward_ ? source + i * source_step_
                                 : starts_[d][static_cast<std::size_t>(dest)].tap - i * dest_step_);
    }
  }
  std::vector<std::int64_t> taps;
  for (const std::int64_t row : axes[0]) {
    for (const std::int64_t col : axes[1]) taps.push_back(row * kernel_ + col);
  }
  return taps;
}

std::int64_t WinogradTiles::units() const { return groups_ * ceil_div(batch_, images_) * bands_; }

WinogradTiles::Unit WinogradTiles::unit(std::int64_t index) const {
  const std::int64_t blocks = ceil_div(batch_, images_);
  Unit unit;
  unit.group = index / bands_ / blocks;
  unit.image = index / bands_ % blocks * images_;
  unit.images = std::min(images_, batch_ - unit.image);
  unit.row = index % bands_ * band_;
  unit.rows = std::min(band_, rows_ - unit.row);
  unit.tiles = unit.images * unit.rows * cols_;
  return unit;
}

std::int64_t WinogradSource::scratch(const WinogradTiles& tiles) {
  return tiles.source_.scratch(tiles.images_) + kBehind;
}

std::int64_t WinogradSource::floats(const WinogradTiles& tiles) {
  return tiles.unit_panels() * tiles.points() * tiles.depth() * tiles.panel_width();
}

void WinogradSource::load(const WinogradTiles::Unit& unit, const float* source, float* scratch) {
  const std::int64_t group_floats = tiles_.channels_ * tiles_.source_plane_;
  const std::int64_t image_floats = tiles_.groups_ * group_floats;
  tiles_.source_.fill(source + unit.image * image_floats + unit.group * group_floats, image_floats,
                      unit.images, kWinogradTile * unit.row, unit.row != filled_row_, scratch);
  unit_ = unit;
  filled_row_ = unit.row;
  scratch_ = scratch;
}

void WinogradSource::transform(std::int64_t dest_phase, float* to) const {
  const ConvSource& source = tiles_.source_;
  const std::int64_t width = tiles_.panel_width(), phases = tiles_.source_phases();
  const std::int64_t step = tiles_.source_step_;
  const std::int64_t point = tiles_.depth() * width;
  const auto kernel = winograd_kernels().source[tiles_.taps() - kWinogradTaps];
  const std::int64_t row = tiles_.starts_[0][std::size_t(dest_phase / tiles_.dest_step_)].index;
  const std::int64_t col = tiles_.starts_[1][std::size_t(dest_phase % tiles_.dest_step_)].index;
  WinogradSourceRun made;
  made.from_row = source.row_stride();
  made.from_channel = source.channel_stride();
  made.channels = tiles_.channels();
  made.to_point = point;
  made.to_channel = phases * width;
  tiles_.for_each_run(unit_, [&](const WinogradTiles::Run& run) {
    made.tiles = run.count;
    for (std::int64_t phase = 0; phase < phases; ++phase) {
      made.from = scratch_ + run.image * source.image_stride() +
                  source.offset({0, phase / step, phase % step},
                                {0, row + kWinogradTile * run.row, col + kWinogradTile * run.col});
      made.to = to + run.panel * tiles_.points() * point + phase * width + run.lane;
      kernel(made);
    }
  });
  const std::int64_t filled = unit_.tiles % width;
  if (filled == 0) return;
  float* line = to + unit_.tiles / width * tiles_.points() * point + filled;
  for (std::int64_t i = 0; i < tiles_.points() * tiles_.depth(); ++i, line += width)
    std::fill_n(line, width - filled, 0.0f);
}

}  // namespace genera::cpu
