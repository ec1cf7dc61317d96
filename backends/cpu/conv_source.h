/// Images with their padding, as the convolution kernels read them.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backends/cpu/conv_kernels.h"

namespace genera::cpu {

/// One spatial axis of a padded image. Pixel p of the image is pixel u = p + lo of the padded one,
/// which lies in plane u % step at index u / step.
struct SourceAxis {
  std::int64_t size = 1;    ///< pixels of the image
  std::int64_t step = 1;    ///< number of planes; the convolution's stride, or 1
  std::int64_t lo = 0;      ///< padding in front
  std::int64_t extent = 1;  ///< indices of each plane
  /// Of each residue u % step, the number of its plane; -1 where nothing reads it.
  std::vector<std::int64_t> plane{0};
  std::int64_t planes = 1;
};

/// Where padded images lie: (image, channel, planes, extents), the planes and extents of the three
/// axes in row-major order.
class ConvSource {
 public:
  using Axes = std::array<SourceAxis, 3>;

  ConvSource() = default;
  /// `rows` of axis 1 are held at a time (all of them: axes[1].extent). With `in_place` images
  /// that need neither padding nor splitting are read where they are.
  ConvSource(const Axes& axes, std::int64_t channels, std::int64_t rows, bool in_place);

  bool in_place() const { return in_place_; }
  /// Floats of `images` images, what vector loads may read behind them included; 0 in place.
  std::int64_t scratch(std::int64_t images) const;
  /// Floats from one image to the next.
  std::int64_t image_stride() const { return channels_ * channel_stride_; }
  std::int64_t channel_stride() const { return channel_stride_; }
  /// Floats from one row, and from one plane of rows, to the next.
  std::int64_t row_stride() const { return axes_[2].extent; }
  std::int64_t depth_stride() const { return rows_ * axes_[2].extent; }
  /// Where index (d, h, w) of the planes that hold residues (rd, rh, rw) lies in a channel.
  std::int64_t offset(const std::array<std::int64_t, 3>& residue,
                      const std::array<std::int64_t, 3>& index) const;

  /// Fills scratch with `images` images at `from`, `from_stride` floats apart, of which rows
  /// [first_row, first_row + rows) are held. With `clear` the padding is written too: it stays from
  /// one fill to the next as long as first_row is the same.
  void fill(const float* from, std::int64_t from_stride, std::int64_t images,
            std::int64_t first_row, bool clear, float* scratch) const;

 private:
  struct Lines;
  void fill_plane(const Lines& lines, const float* from, float* to) const;
  void fill_rows(const Lines& lines, const float* from, std::int64_t residue, float* to) const;

  Axes axes_;
  std::int64_t channels_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t plane_stride_ = 0;
  std::int64_t channel_stride_ = 0;
  bool in_place_ = false;
};

}  // namespace genera::cpu
