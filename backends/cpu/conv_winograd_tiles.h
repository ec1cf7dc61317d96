/// The tiles of Winograd's convolution, and the transform of its source.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backends/cpu/conv_shape.h"
#include "backends/cpu/conv_source.h"
#include "backends/cpu/conv_winograd_kernels.h"

namespace genera::cpu {

/// One convolution as products over tiles of kWinogradTile x kWinogradTile pixels. A stride S is
/// taken out as in CorrelationPlan: the kernel has K = r S taps along an axis, so that the source
/// (roles `out` and `grad_weight`: x) or the dest (role `grad_input`: x) splits into S x S phases,
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
  /// and stride (3 / 1, 2 / 1, 4 / 2, 6 / 2) and no dilation.
  static bool applies(const ConvShape& shape);

  /// Plans units of about `unit_tiles` tiles.
  WinogradTiles(const ConvShape& shape, std::int64_t unit_tiles);

  std::int64_t taps() const { return taps_; }                        ///< r
  std::int64_t points() const { return (taps_ + 1) * (taps_ + 1); }  ///< of e
  std::int64_t channels() const { return channels_; }                ///< of the source, per group
  std::int64_t step() const { return dest_step_; }  ///< dest phases along each axis
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
  std::int64_t unit_images() const { return images_; }
  /// Rows of tiles of a unit, at most.
  std::int64_t band() const { return band_; }

  /// Tiles are held in panels: V and M are [panel][e][channel or k][panel_width()].
  std::int64_t panel_width() const { return panel_width_; }
  static std::int64_t panels(std::int64_t tiles, std::int64_t width) {
    return (tiles + width - 1) / width;
  }
  std::int64_t unit_panels() const { return panels(unit_tiles(), panel_width_); }

  /// Neighbouring tiles of one row in one panel, at most a vector's lanes.
  struct Run {
    std::int64_t panel = 0;
    std::int64_t lane = 0;   ///< in the panel
    std::int64_t image = 0;  ///< in the unit
    std::int64_t row = 0;    ///< in the band
    std::int64_t col = 0;
    std::int64_t count = 0;
  };
  /// Calls body(run) for all tiles of a unit, in the order of their places.
  template <class Body>
  void for_each_run(const Unit& unit, const Body& body) const {
    std::int64_t tile = 0;
    for (std::int64_t image = 0; image < unit.images; ++image) {
      for (std::int64_t row = 0; row < unit.rows; ++row) {
        for (std::int64_t col = 0; col < cols_;) {
          const std::int64_t lane = tile % panel_width_;
          std::int64_t count = cols_ - col < lanes_ ? cols_ - col : lanes_;
          if (count > panel_width_ - lane) count = panel_width_ - lane;
          body(Run{tile / panel_width_, lane, image, row, col, count});
          tile += count;
          col += count;
        }
      }
    }
  }

 private:
  friend class WinogradSource;
  // Along one axis, of each dest residue: the first source index, and the largest of its taps.
  struct Start {
    std::int64_t index = 0;
    std::int64_t tap = 0;
  };

  void make_axes(const ConvShape& shape, ConvSource::Axes& axes);
  void make_units(std::int64_t unit_tiles);

  bool forward_ = true;
  std::int64_t taps_ = 0;
  std::int64_t source_step_ = 1;
  std::int64_t dest_step_ = 1;
  std::int64_t kernel_ = 0;
  std::int64_t batch_ = 0;
  std::int64_t groups_ = 0;
  std::int64_t channels_ = 0;
  std::int64_t source_plane_ = 0;
  std::int64_t lanes_ = 0;
  std::int64_t panel_width_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
  std::int64_t images_ = 1;
  std::int64_t band_ = 0;
  std::int64_t bands_ = 1;
  std::array<std::vector<Start>, 2> starts_;
  ConvSource source_;
};

/// One thread's transformed source.
class WinogradSource {
 public:
  explicit WinogradSource(const WinogradTiles& tiles) : tiles_(tiles) {}

  /// Floats of scratch that load() needs.
  static std::int64_t scratch(const WinogradTiles& tiles);
  /// Floats of a unit's V.
  static std::int64_t floats(const WinogradTiles& tiles);

  /// Brings a unit of the contiguous source into its padding. Scratch stays the same, and as it is,
  /// from one call to the next.
  void load(const WinogradTiles::Unit& unit, const float* source, float* scratch);
  /// V of the loaded unit for a dest phase (0 in role `out`):
  /// [panel][e][k][panel_width()]; places without a tile are zero.
  void transform(std::int64_t dest_phase, float* to) const;

 private:
  const WinogradTiles& tiles_;
  WinogradTiles::Unit unit_;
  std::int64_t filled_row_ = -1;
  const float* scratch_ = nullptr;
};

}  // namespace genera::cpu
