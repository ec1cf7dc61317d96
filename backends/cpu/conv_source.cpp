#include "backends/cpu/conv_source.h"

#include <algorithm>

namespace genera::cpu {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return a >= 0 ? (a + b - 1) / b : -(-a / b);
}

// Pixels of one residue of an axis: those at first + i * step for i < count go to index + i.
struct Pixels {
  std::int64_t first = 0;
  std::int64_t index = 0;
  std::int64_t count = 0;
};

// The pixels of `residue` whose indices lie in [from, to).
Pixels pixels_of(const SourceAxis& axis, std::int64_t residue, std::int64_t from, std::int64_t to) {
  Pixels pixels;
  pixels.index = std::max(from, ceil_div(axis.lo - residue, axis.step));
  pixels.first = pixels.index * axis.step + residue - axis.lo;
  const std::int64_t end = std::min(to, ceil_div(axis.size + axis.lo - residue, axis.step));
  pixels.count = std::max<std::int64_t>(0, end - pixels.index);
  return pixels;
}

}  // namespace

// What one fill of a channel's plane shares.
struct ConvSource::Lines {
  std::int64_t first_row;
  std::int64_t from_channel;
};

ConvSource::ConvSource(const Axes& axes, std::int64_t channels, std::int64_t rows, bool in_place)
    : axes_(axes), channels_(channels), rows_(rows) {
  in_place_ = in_place;
  for (const SourceAxis& axis : axes_) {
    if (axis.step != 1 || axis.lo != 0 || axis.extent > axis.size) in_place_ = false;
  }
  if (in_place_) {
    for (SourceAxis& axis : axes_) axis.extent = axis.size;
    rows_ = axes_[1].extent;
  }
  plane_stride_ = axes_[0].extent * rows_ * axes_[2].extent;
  channel_stride_ = axes_[0].planes * axes_[1].planes * axes_[2].planes * plane_stride_;
}

std::int64_t ConvSource::scratch(std::int64_t images) const {
  return in_place_ ? 0 : images * image_stride() + kConvMaxLanes;
}

std::int64_t ConvSource::offset(const std::array<std::int64_t, 3>& residue,
                                const std::array<std::int64_t, 3>& index) const {
  std::int64_t plane = 0;
  for (std::size_t d = 0; d < 3; ++d) {
    plane = plane * axes_[d].planes + axes_[d].plane[static_cast<std::size_t>(residue[d])];
  }
  return plane * plane_stride_ + index[0] * depth_stride() + index[1] * row_stride() + index[2];
}

void ConvSource::fill(const float* from, std::int64_t from_stride, std::int64_t images,
                      std::int64_t first_row, bool clear, float* scratch) const {
  if (clear) std::fill_n(scratch, this->scratch(images), 0.0f);
  const std::int64_t from_plane = axes_[1].size * axes_[2].size;
  const Lines lines{first_row, axes_[0].size * from_plane};
  for (std::int64_t image = 0; image < images; ++image) {
    for (std::int64_t d = 0; d < axes_[0].size; ++d) {
      const std::int64_t u = d + axes_[0].lo;
      if (u < 0) continue;
      const std::int64_t plane = axes_[0].plane[static_cast<std::size_t>(u % axes_[0].step)];
      const std::int64_t index = u / axes_[0].step;
      if (plane < 0 || index >= axes_[0].extent) continue;
      fill_plane(lines, from + image * from_stride + d * from_plane,
                 scratch + image * image_stride() +
                     plane * axes_[1].planes * axes_[2].planes * plane_stride_ +
                     index * depth_stride());
    }
  }
}

void ConvSource::fill_plane(const Lines& lines, const float* from, float* to) const {
  for (std::int64_t residue = 0; residue < axes_[1].step; ++residue) {
    const std::int64_t plane = axes_[1].plane[static_cast<std::size_t>(residue)];
    if (plane < 0) continue;
    fill_rows(lines, from, residue, to + plane * axes_[2].planes * plane_stride_);
  }
}

// The rows of one residue of axis 1, in all channels. `to` is where row 0 of the first plane of
// axis 2 lies.
void ConvSource::fill_rows(const Lines& lines, const float* from, std::int64_t residue,
                           float* to) const {
  const SourceAxis& axis = axes_[2];
  const std::int64_t end_row = std::min(lines.first_row + rows_, axes_[1].extent);
  const Pixels rows = pixels_of(axes_[1], residue, lines.first_row, end_row);
  if (rows.count == 0) return;
  RowCopy copy;
  copy.blocks = channels_;
  copy.rows = rows.count;
  copy.from_block = lines.from_channel;
  copy.from_row = axes_[1].step * axis.size;
  copy.to_block = channel_stride_;
  copy.to_row = row_stride();
  from += rows.first * axis.size;
  to += (rows.index - lines.first_row) * row_stride();
  const auto target = [&](std::int64_t w_residue, const Pixels& pixels) {
    return to + axis.plane[static_cast<std::size_t>(w_residue)] * plane_stride_ + pixels.index;
  };
  if (axis.step == 1) {
    const Pixels pixels = pixels_of(axis, 0, 0, axis.extent);
    copy.from[0] = from + pixels.first;
    copy.to[0] = target(0, pixels);
    copy.count[0] = pixels.count;
    conv_kernels().copy_rows(copy);
    return;
  }
  const Pixels zero = pixels_of(axis, 0, 0, axis.extent);
  const Pixels one = pixels_of(axis, 1, 0, axis.extent);
  if (axis.step == 2 && zero.count > 0 && one.count > 0) {
    const bool one_first = one.first < zero.first;
    const Pixels both[2] = {one_first ? one : zero, one_first ? zero : one};
    copy.from[0] = from + both[0].first;
    copy.available = axis.size - both[0].first;
    for (int i = 0; i < 2; ++i) {
      const std::int64_t w_residue = (i == 1) != one_first;
      if (axis.plane[static_cast<std::size_t>(w_residue)] < 0) continue;
      copy.to[i] = target(w_residue, both[i]);
      copy.count[i] = both[i].count;
    }
    conv_kernels().split_rows(copy);
    return;
  }
  for (std::int64_t w_residue = 0; w_residue < axis.step; ++w_residue) {
    if (axis.plane[static_cast<std::size_t>(w_residue)] < 0) continue;
    const Pixels pixels = pixels_of(axis, w_residue, 0, axis.extent);
    float* first = target(w_residue, pixels);
    for (std::int64_t c = 0; c < copy.blocks; ++c) {
      for (std::int64_t r = 0; r < copy.rows; ++r) {
        const float* source = from + c * copy.from_block + r * copy.from_row + pixels.first;
        float* row = first + c * copy.to_block + r * copy.to_row;
        for (std::int64_t i = 0; i < pixels.count; ++i) row[i] = source[i * axis.step];
      }
    }
  }
}

}  // namespace genera::cpu
