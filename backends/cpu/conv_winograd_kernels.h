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

/// Neighbouring tiles of one row of tiles: V = B^T d B in some channels.
struct WinogradSourceRun {
  const float* from = nullptr;  ///< pixel (0, 0) of the first tile; the next one's is 2 farther
  std::int64_t from_row = 0;
  std::int64_t from_channel = 0;
  std::int64_t channels = 0;
  std::int64_t tiles = 0;  ///< at most a vector's lanes
  float* to = nullptr;     ///< point 0 of the first tile in the first channel; tiles side by side
  std::int64_t to_point = 0;
  std::int64_t to_channel = 0;
};

/// Y = A^T M A of neighbouring tiles of one row of tiles, in some channels. With two steps the
/// pixels of from[0] and from[1] take turns in a row.
struct WinogradDestRun {
  const float* from[2] = {nullptr, nullptr};  ///< point 0 of the first tile in the first channel
  std::int64_t from_point = 0;
  std::int64_t from_channel = 0;
  std::int64_t channels = 0;
  float* to = nullptr;
  std::int64_t to_row = 0;  ///< from the tiles' first row of pixels to their second
  std::int64_t to_channel = 0;
  std::int64_t rows = 0;  ///< 1 or 2 are stored
  std::int64_t cols = 0;  ///< pixels of a row to store, at most 2 * steps * lanes
};

/// U = G g G^T, with dest channels in the lanes.
struct WinogradWeights {
  const float* from = nullptr;
  const std::int64_t* taps = nullptr;  ///< where each of the r x r taps lies
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

  /// Reads up to 2 * lanes + 2 pixels of each row, whatever the number of tiles.
  void (*source[2])(const WinogradSourceRun& run);
  /// [steps - 1]; reads whole vectors.
  void (*dest[2][2])(const WinogradDestRun& run);
  void (*weights[2])(const WinogradWeights& run);
};

/// The kernels for the best target that this processor has (and Highway's settings allow).
const WinogradKernels& winograd_kernels();

}  // namespace genera::cpu
