#include "backends/cpu/conv_pack.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/rounding.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Source channels that are packed together: a unit of work.
constexpr std::int64_t kChannels = 16;
// Below so many floats a second thread costs more than it gives.
constexpr std::int64_t kSerialFloats = 8192;

// Source channels [begin, end) of one panel. `weights` are those of the group and the panel's first
// channel, `packed` is where the group's begin.
struct Slice {
  const CorrelationPlan& plan;
  const CorrelationPanel& panel;
  std::int64_t begin;
  std::int64_t end;

  void pack_taps(const float* weights, float* packed) const {
    float* to = packed + panel.begin * plan.source_channels + begin * panel.width;
    for (std::int64_t c = begin; c < end; ++c, to += panel.width) {
      for (std::int64_t i = 0; i < panel.count; ++i) {
        const std::int64_t line = panel.channel + i;
        to[i] = weights[c * plan.source_weight_stride + line / plan.taps * plan.dest_weight_stride +
                        line % plan.taps];
      }
    }
  }

  // Role out (or its mirror image with one dest channel): k is contiguous.
  void pack_rows(const float* weights, float* packed) const {
    const std::int64_t taps = plan.taps;
    float* to = packed + panel.begin * plan.source_channels * taps + begin * taps * panel.width;
    gemm_kernels().pack_transposed(weights + begin * taps, plan.dest_weight_stride, panel.count,
                                   (end - begin) * taps, panel.width, to);
  }

  // Role grad_input: dest channels and taps of one source channel are contiguous; the taps are
  // dealt out to their phases.
  void pack_phases(const float* weights, float* scratch, float* packed) const {
    for (std::int64_t c = begin; c < end; ++c) {
      gemm_kernels().pack_transposed(weights + c * plan.source_weight_stride,
                                     plan.dest_weight_stride, panel.count, plan.taps, panel.width,
                                     scratch);
      for (const CorrelationPhase& phase : plan.phases) {
        const auto taps = static_cast<std::int64_t>(phase.taps.size());
        float* to = packed + phase.weights + panel.begin * phase.depth() + c * taps * panel.width;
        for (const std::int64_t tap : phase.taps) {
          std::copy_n(scratch + tap * panel.width, panel.width, to);
          to += panel.width;
        }
      }
    }
  }
};

}  // namespace

std::int64_t pack_scratch(const CorrelationPlan& plan) {
  return plan.taps * plan.panels[0].width + kConvMaxLanes;
}

void pack_weights(const CorrelationPlan& plan, const float* weights, std::int64_t parts,
                  float* scratch, std::int64_t share, float* packed) {
  const auto panels = static_cast<std::int64_t>(plan.panels.size());
  const std::int64_t slices = ceil_div(plan.source_channels, kChannels);
  const std::int64_t count = plan.groups * panels * slices;
  const std::int64_t group_floats = plan.dest_channels * plan.source_channels * plan.taps;
  if (plan.groups * group_floats < kSerialFloats) parts = 1;
  const auto pack = [&](std::int64_t index, float* part_scratch) {
    const std::int64_t group = index / slices / panels;
    const CorrelationPanel& panel = plan.panels[static_cast<std::size_t>(index / slices % panels)];
    const std::int64_t begin = index % slices * kChannels;
    const Slice slice{plan, panel, begin, std::min(begin + kChannels, plan.source_channels)};
    const float* from = weights + group * group_floats;
    float* to = packed + group * plan.group_weights();
    if (plan.lanes == CorrelationLanes::taps) return slice.pack_taps(from, to);
    from += panel.channel * plan.dest_weight_stride;
    if (plan.phases.size() == 1 && plan.source_weight_stride == plan.taps)
      return slice.pack_rows(from, to);
    slice.pack_phases(from, part_scratch, to);
  };
  parallel_parts(Shares(parts), count, [&](std::int64_t part, std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) pack(i, scratch + part * share);
  });
}

}  // namespace genera::cpu
