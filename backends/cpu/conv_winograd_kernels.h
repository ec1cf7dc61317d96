/// The transforms of Winograd's convolution, one set per SIMD target, chosen at run time.
///
/// Minimal filtering F(2, r) (Winograd 1980; Lavin and Gray, arXiv 1509.09308) makes m = 2
/// neighbouring pixels of a correlation with r taps from n = r + 1 products, on each of two axes:
///
///     Y = A^T [ (G g G^T) * (B^T d B) ] A        (* elementwise)
///
/// for a tile d of n x n source pixels and r x r taps g. One axis, from the points 0, 1, inf
/// (r = 2) and 0, 1, -1, inf (r = 3):
///
///     r = 2   V = (d0 - d1, d1, d1 - d2)             U = (g0, g0 + g1, g1)
///             y = (M0 + M1, M1 - M2)
///     r = 3   V = (d0 - d2, d1 + d2, d2 - d1, d1 - d3)
///             U = (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2)
///             y = (M0 + M1 + M2, M1 - M2 - M3)
///
/// Tiles lie in the vector lanes. Point e = i * n + j belongs to point i of the rows and j of the
/// columns.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// Pixels that a tile makes along one axis of a correlation.
inline constexpr std::int64_t kWinogradTile = 2;
/// Fewest taps along one axis; the most are one more.
inline constexpr std::int64_t kWinogradTaps = 2;

/// Planes of a split by 2 S. For S = 1 there is one more than a tile with 2 taps needs, for those
/// that begin one pixel later.
inline constexpr std::int64_t kWinogradPlanes[2] = {4, 6};

/// Rows of pixels of one channel, dealt out so that neighbouring tiles read neighbouring floats:
/// plane q holds pixel 2 S t + q of a row for tile t, zero beyond the image.
struct WinogradSplit {
  const float* from = nullptr;  ///< the first image
  std::int64_t from_image = 0;
  std::int64_t from_row = 0;   ///< from one row of the result to the next
  std::int64_t row_begin = 0;  ///< rows [row_begin, row_end) exist
  std::int64_t row_end = 0;
  std::int64_t rows = 0;
  std::int64_t images = 0;
  std::int64_t first = 0;  ///< the image's column that is pixel 0 of tile 0
  std::int64_t width = 0;  ///< columns of the image
  std::int64_t cols = 0;   ///< tiles of a row
  /// Row i goes to plane set i % 2, there to line i / 2: [image][tile].
  float* to = nullptr;
  std::int64_t to_set = 0;
  std::int64_t to_plane = 0;
};

/// V = B^T d B of one channel.
struct WinogradSourceTransform {
  const float* from[2] = {nullptr, nullptr};  ///< planes of d(0, 0) and d(1, 0)
  std::int64_t from_line = 0;                 ///< from a row of a tile to the second next
  std::int64_t from_plane = 0;                ///< from one column of a tile to the next
  std::int64_t tiles = 0;
  float* to = nullptr;  ///< panels of two vectors; places without a tile become zero
  std::int64_t to_point = 0;
  std::int64_t to_panel = 0;
};

/// Y = A^T M A in some channels. With two steps the pixels of from[0] and from[1] take turns in a
/// row.
struct WinogradDestTransform {
  const float* from[2] = {nullptr, nullptr};  ///< point 0 of the first tile in the first channel
  std::int64_t from_point = 0;
  std::int64_t from_channel = 0;
  std::int64_t from_panel = 0;
  std::int64_t channels = 0;
  std::int64_t rows = 0;  ///< of tiles
  std::int64_t images = 0;
  std::int64_t cols = 0;
  float* pixels = nullptr;  ///< scratch, 4 * steps * the tiles in whole vectors
  float* to = nullptr;
  std::int64_t to_channel = 0;
  std::int64_t to_image = 0;
  std::int64_t to_row = 0;  ///< from one row of pixels to the next
  std::int64_t height = 0;  ///< rows of pixels to store
  std::int64_t width = 0;   ///< pixels of a row to store
};

/// U = G g G^T, with dest channels in the lanes.
struct WinogradWeightTransform {
  const float* from = nullptr;
  const std::int64_t* taps = nullptr;  ///< where each of the r x r taps lies, in lines
  std::int64_t from_channel = 0;
  std::int64_t channels = 0;
  std::int64_t width = 0;  ///< floats of a line, any number
  float* to = nullptr;
  std::int64_t to_point = 0;
  std::int64_t to_channel = 0;
};

/// The kernels of one target; [r - kWinogradTaps].
struct WinogradKernels {
  int lanes;  ///< floats in a vector

  void (*split[2])(const WinogradSplit& split);  ///< [S - 1]; makes kWinogradPlanes[S - 1] planes
  void (*source[2])(const WinogradSourceTransform& source);
  void (*dest[2][2])(const WinogradDestTransform& dest);  ///< [steps - 1]
  void (*weights[2])(const WinogradWeightTransform& weights);
};

/// The kernels for the best target that this processor has (and Highway's settings allow).
const WinogradKernels& winograd_kernels();

}  // namespace genera::cpu
