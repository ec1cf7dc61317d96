#include "backends/cpu/conv_winograd_tiles.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/rounding.h"

namespace genera::cpu {
namespace {

// Most tiles of a unit, and floats of its V and M, which stay in a large L2.
constexpr std::int64_t kUnitTiles = 64;
constexpr std::int64_t kUnitFloats = 320 * 1024;
// Units of a batch, at least, for the threads.
constexpr std::int64_t kUnits = 16;
// Reading the weights again for another unit; in vectors of tiles.
constexpr double kUnitCost = 0.25;

}  // namespace

bool WinogradTiles::applies(const ConvShape& shape) {
  if (shape.in[0] != 1 || shape.out[0] != 1 || shape.kernel[0] != 1 || shape.pad[0] != 0)
    return false;
  if (shape.kernel[1] != shape.kernel[2] || shape.stride[1] != shape.stride[2]) return false;
  if (shape.dilation[1] != 1 || shape.dilation[2] != 1) return false;
  const std::int64_t step = shape.stride[2], kernel = shape.kernel[2];
  if (step > 2 || kernel % step != 0) return false;
  const std::int64_t taps = kernel / step;
  if (taps != kWinogradTaps && (taps != kWinogradTaps + 1 || step != 1)) return false;
  return shape.batch > 0 && shape.in_plane() > 0 && shape.out_plane() > 0 && shape.weights() > 0;
}

WinogradTiles::WinogradTiles(const ConvShape& shape)
    : forward_(shape.role != ConvAttrs::grad_input),
      taps_(shape.kernel[2] / shape.stride[2]),
      source_step_(forward_ ? shape.stride[2] : 1),
      dest_step_(forward_ ? 1 : shape.stride[2]),
      kernel_(shape.kernel[2]),
      batch_(shape.batch),
      groups_(shape.groups),
      channels_(forward_ ? shape.in_channels : shape.out_channels),
      dest_channels_(forward_ ? shape.out_channels : shape.in_channels),
      lanes_(winograd_kernels().lanes),
      panel_width_(2 * lanes_) {
  const ConvShape::Axes& dest = forward_ ? shape.out : shape.in;
  rows_ = ceil_div(dest[1], kWinogradTile * dest_step_);
  cols_ = ceil_div(dest[2], kWinogradTile * dest_step_);
  make_starts(shape);
  make_units();
}

void WinogradTiles::make_starts(const ConvShape& shape) {
  for (std::size_t d = 1; d < 3; ++d) {
    source_size_[d - 1] = forward_ ? shape.in[d] : shape.out[d];
    if (forward_) {
      // Dest pixel o reads source pixel o * stride + k - pad.
      starts_[d - 1].push_back({0, 0});
      first_[d - 1] = -shape.pad[d];
      continue;
    }
    // Dest pixel i reads source pixel (i + pad - k) / stride where that divides: the taps in
    // falling order read neighbouring pixels.
    for (std::int64_t residue = 0; residue < dest_step_; ++residue) {
      const std::int64_t most = kernel_ - dest_step_ + (residue + shape.pad[d]) % dest_step_;
      starts_[d - 1].push_back({(residue + shape.pad[d] - most) / dest_step_, most});
    }
    first_[d - 1] = starts_[d - 1][0].pixel;
    for (Start& start : starts_[d - 1]) start.pixel -= first_[d - 1];
  }
}

// What units of that size cost, in vectors of tiles.
double WinogradTiles::units_cost(std::int64_t images, std::int64_t band) const {
  const auto cost = [&](std::int64_t unit_images, std::int64_t rows) {
    return rows == 0 || unit_images == 0
               ? 0.0
               : double(ceil_div(unit_images * rows * cols_, lanes_)) + kUnitCost;
  };
  const auto image_cost = [&](std::int64_t count) {
    return double(rows_ / band) * cost(count, band) + cost(count, rows_ % band);
  };
  return double(batch_ / images) * image_cost(images) + image_cost(batch_ % images);
}

// Whole images where they are small, else bands, so that few lanes stay empty, what a unit touches
// stays in L2, and there are units for the threads.
void WinogradTiles::make_units() {
  const std::int64_t image = rows_ * cols_;
  const std::int64_t tile_floats = points() * (depth() + dest_phases() * dest_channels_);
  const std::int64_t most =
      std::max(panel_width_, std::min({kUnitTiles, kUnitFloats / tile_floats,
                                       ceil_div(groups_ * batch_ * image, kUnits)}));
  const bool whole = image <= most;
  const std::int64_t count = whole ? std::min(batch_, most / image)
                                   : std::min(rows_, std::max<std::int64_t>(1, most / cols_));
  double best = 0;
  for (std::int64_t i = count; i > 0; --i) {
    const double cost = whole ? units_cost(i, rows_) : units_cost(1, i);
    if (i < count && cost >= best) continue;
    best = cost;
    images_ = whole ? i : 1;
    band_ = whole ? rows_ : i;
  }
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

// A channel's rows of pixels of a unit are dealt out by their parity and columns; one plane.
std::int64_t WinogradSource::plane_floats(const WinogradTiles& tiles) {
  return tiles.images_ * (tiles.band_ + 1) * tiles.cols_;
}

std::int64_t WinogradSource::channel_floats(const WinogradTiles& tiles) {
  const std::int64_t step = tiles.source_step_;
  return step * 2 * kWinogradPlanes[step - 1] * plane_floats(tiles);
}

std::int64_t WinogradSource::scratch(const WinogradTiles& tiles) {
  // Several dest phases read the same pixels.
  const std::int64_t channels = tiles.dest_phases() > 1 ? tiles.channels_ : 1;
  // Both vectors of a panel are read, however few tiles it has.
  return channels * channel_floats(tiles) + 2 * kConvMaxLanes;
}

std::int64_t WinogradSource::floats(const WinogradTiles& tiles) {
  return tiles.unit_panels() * tiles.points() * tiles.depth() * tiles.panel_width();
}

void WinogradSource::fetch(const WinogradTiles::Unit& unit, const float* source, std::int64_t steps,
                           Prefetch& prefetch) const {
  const std::int64_t height = tiles_.source_size_[0], width = tiles_.source_size_[1];
  const std::int64_t step = kWinogradTile * tiles_.source_step_;
  const std::int64_t group_floats = tiles_.channels_ * height * width;
  const float* from = source + (unit.image * tiles_.groups_ + unit.group) * group_floats;
  if (unit.rows == tiles_.rows_) {
    prefetch.begin(from, group_floats, unit.images, tiles_.groups_ * group_floats, steps);
    return;
  }
  const std::int64_t first = std::max<std::int64_t>(0, step * unit.row + tiles_.first_[0]);
  const std::int64_t rows = std::min(step * unit.rows + tiles_.taps_, height - first);
  if (rows > 0)
    prefetch.begin(from + first * width, rows * width, tiles_.channels_, height * width, steps);
}

void WinogradSource::split(const WinogradTiles::Unit& unit, const float* source,
                           std::int64_t channel, float* to) const {
  const std::int64_t step = tiles_.source_step_;
  const std::int64_t height = tiles_.source_size_[0], width = tiles_.source_size_[1];
  const float* image = source + (unit.image * tiles_.groups_ * tiles_.channels_ +
                                 unit.group * tiles_.channels_ + channel) *
                                    height * width;
  WinogradSplit split;
  split.from_image = tiles_.groups_ * tiles_.channels_ * height * width;
  split.from_row = step * width;
  split.rows = kWinogradTile * unit.rows + tiles_.taps_ - 1 + (tiles_.dest_phases() > 1 ? 1 : 0);
  split.images = unit.images;
  split.first = tiles_.first_[1];
  split.width = width;
  split.cols = tiles_.cols_;
  split.to_plane = plane_floats(tiles_);
  split.to_set = kWinogradPlanes[step - 1] * split.to_plane;
  for (std::int64_t h = 0; h < step; ++h) {
    const std::int64_t first = kWinogradTile * step * unit.row + h + tiles_.first_[0];
    split.from = image + first * width;
    split.row_begin = first >= 0 ? 0 : ceil_div(-first, step);
    split.row_end = first >= height ? 0 : ceil_div(height - first, step);
    split.to = to + h * 2 * split.to_set;
    winograd_kernels().split[step - 1](split);
  }
}

void WinogradSource::transform(const WinogradTiles::Unit& unit, std::int64_t dest_phase,
                               const float* source, float* to) const {
  const std::int64_t step = tiles_.source_step_, width = tiles_.panel_width();
  const std::int64_t plane = plane_floats(tiles_);
  const std::int64_t set = kWinogradPlanes[step - 1] * plane;
  const auto at = [&](std::size_t axis, std::int64_t residue) {
    return tiles_.starts_[axis][static_cast<std::size_t>(residue)].pixel;
  };
  const std::int64_t row = at(0, dest_phase / tiles_.dest_step_);
  const std::int64_t col = at(1, dest_phase % tiles_.dest_step_);
  const auto kernel = winograd_kernels().source[tiles_.taps_ - kWinogradTaps];
  WinogradSourceTransform made;
  made.from_line = unit.images * tiles_.cols_;
  made.from_plane = step * plane;
  made.tiles = unit.tiles;
  made.to_point = tiles_.depth() * width;
  made.to_panel = tiles_.points() * made.to_point;
  for (std::int64_t c = 0; c < tiles_.channels_; ++c) {
    float* planes = scratch_ + (tiles_.dest_phases() > 1 ? c * channel_floats(tiles_) : 0);
    if (dest_phase == 0) split(unit, source, c, planes);
    for (std::int64_t phase = 0; phase < tiles_.source_phases(); ++phase) {
      const float* from = planes + phase / step * 2 * set + (phase % step + col) * plane;
      made.from[0] = from + (row == 0 ? 0 : set);
      made.from[1] = from + (row == 0 ? set : made.from_line);
      made.to = to + (c * tiles_.source_phases() + phase) * width;
      kernel(made);
    }
  }
}

}  // namespace genera::cpu
