/// The tiles of Winograd's convolution, and the transform of its source.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_prefetch.h"
#include "backends/cpu/conv_winograd_kernels.h"

namespace genera::cpu {

/// One convolution as products over tiles of kWinogradTile x kWinogradTile pixels. A stride S is
/// taken out as in CorrelationPlan: the kernel has K = r S taps along an axis, so that the source
/// (role `out`: x) or the dest (role `grad_input`: x) splits into S x S phases,
/// each with a correlation with r x r taps and stride 1. For each dest phase, group and point e of
/// the transforms
///
///     M[e][co][p] = sum over k = channel * source_phases + phase of U[e][co][k] * V[e][k][p]
///
/// p being a tile of all images. Tiles are worked on in units: some images, or some rows of tiles
/// (a band) of one image, of one group.
class WinogradTiles {
 public:
  /// Whether the convolution has this form, with at least one tile: two axes with the same kernel
  /// and stride (3 / 1, 2 / 1, 4 / 2) and no dilation.
  static bool applies(const ConvShape& shape);

  explicit WinogradTiles(const ConvShape& shape);

  std::int64_t taps() const { return taps_; }                        ///< r
  std::int64_t points() const { return (taps_ + 1) * (taps_ + 1); }  ///< of e
  std::int64_t groups() const { return groups_; }
  std::int64_t dest_channels() const { return dest_channels_; }  ///< per group
  std::int64_t channels() const { return channels_; }            ///< of the source, per group
  std::int64_t step() const { return dest_step_; }               ///< dest phases along each axis
  std::int64_t dest_phases() const { return dest_step_ * dest_step_; }
  std::int64_t source_phases() const { return source_step_ * source_step_; }
  std::int64_t depth() const { return channels_ * source_phases(); }  ///< of k

  /// Where the taps (i, j) of a phase lie in the kernel, as linear indices [i * r + j].
  std::vector<std::int64_t> kernel_taps(std::int64_t dest_phase, std::int64_t source_phase) const;

  std::int64_t rows() const { return rows_; }  ///< of tiles of one image
  std::int64_t cols() const { return cols_; }

  /// Some images, or a band of one.
  struct Unit {
    std::int64_t group = 0;
    std::int64_t image = 0;
    std::int64_t images = 0;
    std::int64_t row = 0;   ///< the first row of tiles
    std::int64_t rows = 0;  ///< of tiles, of each image
    std::int64_t tiles = 0;
  };
  std::int64_t units() const;  ///< group after group
  Unit unit(std::int64_t index) const;
  std::int64_t unit_tiles() const { return images_ * band_ * cols_; }  ///< of a unit, at most

  /// Tiles of a unit are in the order (row, image, column), in panels: V and M are
  /// [panel][e][channel or k][panel_width()].
  std::int64_t panel_width() const { return panel_width_; }
  static std::int64_t panels(std::int64_t tiles, std::int64_t width) {
    return (tiles + width - 1) / width;
  }
  std::int64_t unit_panels() const { return panels(unit_tiles(), panel_width_); }

 private:
  friend class WinogradSource;
  // Along one axis, of each dest residue: the source pixel that the first tile begins with, 0 or 1
  // after first_, and its tap.
  struct Start {
    std::int64_t pixel = 0;
    std::int64_t tap = 0;
  };

  void make_starts(const ConvShape& shape);
  void make_units();
  double units_cost(std::int64_t images, std::int64_t band) const;

  bool forward_ = true;
  std::int64_t taps_ = 0;
  std::int64_t source_step_ = 1;
  std::int64_t dest_step_ = 1;
  std::int64_t kernel_ = 0;
  std::int64_t batch_ = 0;
  std::int64_t groups_ = 0;
  std::int64_t channels_ = 0;
  std::int64_t dest_channels_ = 0;
  std::array<std::int64_t, 2> source_size_{};
  std::int64_t lanes_ = 0;
  std::int64_t panel_width_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::int64_t images_ = 1;
  std::int64_t band_ = 0;
  std::int64_t bands_ = 1;
  std::array<std::vector<Start>, 2> starts_;
  std::array<std::int64_t, 2> first_{};  ///< in the image
};

/// One thread's transformed source.
class WinogradSource {
 public:
  /// `scratch` holds scratch(tiles) floats.
  WinogradSource(const WinogradTiles& tiles, float* scratch) : tiles_(tiles), scratch_(scratch) {}

  static std::int64_t scratch(const WinogradTiles& tiles);
  /// Floats of a unit's V.
  static std::int64_t floats(const WinogradTiles& tiles);

  /// Fetches what a unit reads while prefetch.step() is called `steps` times.
  void fetch(const WinogradTiles::Unit& unit, const float* source, std::int64_t steps,
             Prefetch& prefetch) const;
  /// V of a unit of the contiguous source for a dest phase, phase 0 first:
  /// [panel][e][k][panel_width()]; places without a tile are zero.
  void transform(const WinogradTiles::Unit& unit, std::int64_t dest_phase, const float* source,
                 float* to) const;

 private:
  static std::int64_t plane_floats(const WinogradTiles& tiles);
  static std::int64_t channel_floats(const WinogradTiles& tiles);
  void split(const WinogradTiles::Unit& unit, const float* source, std::int64_t channel,
             float* to) const;

  const WinogradTiles& tiles_;
  float* scratch_;
};

}  // namespace genera::cpu
