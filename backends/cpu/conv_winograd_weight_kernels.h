/// The transforms of the weight gradient by minimal filtering, one set per SIMD target, chosen at
/// run time. Channels lie in the vector lanes.
#pragma once

#include <cstdint>

namespace genera::cpu {

/// What two rows of a tile become.
enum class WinogradPair : int { first = 0, sum = 1, difference = 2 };
inline constexpr int kWinogradPairs = 3;

/// The two rows of a tile that make a row of points.
struct WinogradPointRow {
  WinogradPair pair;
  int first, second;
};

/// Two rows of a line of tiles, in one panel of channels: 1 or 2 vectors.
struct WinogradLine {
  const float* from[2] = {nullptr, nullptr};  ///< each row's first pixel in the first tile
  std::int64_t column = 0;                    ///< floats from one column of a tile to the next
  std::int64_t tile_stride = 0;               ///< floats from one tile to the next
  std::int64_t tiles = 0;
  std::int64_t vectors = 1;
  float* to = nullptr;            ///< (points, tiles, vectors * lanes)
  std::int64_t point_stride = 0;  ///< floats from one point to the next
};

/// The rows of a line become one, whose tiles become values at the points of the transform.
using WinogradTransform = void (*)(const WinogradLine& line);

/// Sums at points x points, for a vector of channels each, and where their taps x taps weights go.
struct WinogradSums {
  const float* from = nullptr;
  std::int64_t point_stride = 0;
  std::int64_t chunks = 1;  ///< that are added in order
  std::int64_t chunk_stride = 0;
  std::int64_t channels = 0;  ///< rounded up to whole vectors
  float* to = nullptr;
  std::int64_t row_stride = 0;     ///< floats from one row of weights to the next
  std::int64_t column_stride = 0;  ///< and from one column to the next
};

/// The kernels of one target. The first index is the number of taps - 2: F(2, 2) with the points
/// {0, 1, inf} and F(2, 3) with {0, 1, -1, inf} (Lavin & Gray, arXiv 1509.09308, equations 6 to 9),
/// where the sign of A's last row has moved to G's.
struct WinogradWeightKernels {
  WinogradTransform source[2][kWinogradPairs];    ///< d -> B^T d
  WinogradTransform gradient[2][kWinogradPairs];  ///< y -> A y
  void (*weights[2])(const WinogradSums& sums);   ///< u -> G^T u G
};

/// The kernels for the best target that this processor has (and Highway's settings allow).
const WinogradWeightKernels& winograd_weight_kernels();

}  // namespace genera::cpu
