/// How convolution in the roles `out` and `grad_input` becomes correlations with stride 1.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "backends/conv_shape.h"
#include "backends/cpu/conv_kernels.h"
#include "backends/cpu/conv_source.h"

namespace genera::cpu {

/// A dense correlation that makes every step-th pixel of dest:
///
///     dest[m][q] = sum over k = (source channel, tap) of w[m][k] * source[q + offsets[k]]
struct CorrelationPhase {
  std::array<std::int64_t, 3> residue{};  ///< of dest's pixels
  std::array<std::int64_t, 3> count{};    ///< pixels along each axis
  std::vector<std::int64_t> taps;         ///< of the kernel, as linear indices
  std::vector<std::int64_t> offsets;      ///< for each (channel, tap)
  /// With CorrelationLanes::taps: the taps' planes that reach each index of axis 0.
  std::vector<std::vector<ShiftedPlane>> planes;
  std::int64_t weights = 0;  ///< where its packed weights begin in a group's
  std::int64_t scratch = 0;  ///< where its pixels begin in a channel's dest scratch

  std::int64_t depth() const { return static_cast<std::int64_t>(offsets.size()); }
};

/// What lies in the lanes of a tile's vectors.
enum class CorrelationLanes {
  channels,  ///< dest channels
  pixels,    ///< pixels of one row of dest, where dest has few channels
  taps,      ///< pixels of source: each tap makes a plane of its own, and the planes are added up
             ///< with their shifts, where dest has very few channels
};

/// Most phases along axis 2 that one tile can hold.
inline constexpr std::int64_t kMaxJoinedPhases = 4;

/// Dest channels that are computed together; (channel, tap) pairs with CorrelationLanes::taps.
struct CorrelationPanel {
  std::int64_t channel = 0;  ///< the first one in its group
  std::int64_t count = 0;
  std::int64_t width = 0;  ///< floats of packed weights per k
  std::int64_t begin = 0;  ///< sum of the widths before it
};

/// One convolution. A stride is taken out by splitting one side into planes of equal residue: role
/// `out` splits the source x, so that every tap reads neighbouring pixels for neighbouring outputs;
/// role `grad_input` splits the dest x into phases, each with the taps that reach it.
struct CorrelationPlan {
  const ConvKernels* kernels = nullptr;
  std::int64_t batch = 0;
  std::int64_t groups = 1;
  std::int64_t source_channels = 0;  ///< per group, as dest_channels
  std::int64_t dest_channels = 0;
  std::array<std::int64_t, 3> source_size{};
  std::int64_t source_plane = 0;
  std::array<std::int64_t, 3> dest_size{};
  std::array<std::int64_t, 3> dest_step{1, 1, 1};  ///< phases along each axis
  std::int64_t taps = 0;
  std::int64_t dest_weight_stride = 0;    ///< floats of w from one dest channel to the next
  std::int64_t source_weight_stride = 0;  ///< and from one source channel to the next

  ConvSource source;
  std::vector<CorrelationPhase> phases;
  CorrelationLanes lanes = CorrelationLanes::channels;
  std::vector<CorrelationPanel> panels;
  std::int64_t panel_width = 0;   ///< sum of the panels' widths
  std::int64_t panel_groups = 1;  ///< parts of the panels whose weights stay in cache
  std::int64_t images = 1;        ///< of one unit of work
  std::int64_t band = 0;          ///< rows of a phase of one unit of work
  std::int64_t bands = 1;
  std::int64_t joined = 1;        ///< phases along axis 2 that become one tile
  double cost = 0;                ///< clock cycles of one image of one group, estimated
  std::int64_t dest_scratch = 0;  ///< floats of a dest channel of one image; 0: written in place
  std::vector<std::int64_t> channel_offsets;  ///< of the source, with CorrelationLanes::taps

  std::int64_t dest_plane() const { return dest_size[0] * dest_size[1] * dest_size[2]; }
  std::int64_t multiply_adds() const;
  /// Floats of a group's packed weights.
  std::int64_t group_weights() const {
    return source_channels * panel_width * (lanes == CorrelationLanes::taps ? 1 : taps);
  }
};

/// Plans shape.role `out` or `grad_input` for non-empty batch and dest. Without `allow_taps` the
/// source lies padded, and every phase has its offsets.
CorrelationPlan plan_correlation(const ConvShape& shape, bool allow_taps = true);

}  // namespace genera::cpu
