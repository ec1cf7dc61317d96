#include "backends/cpu/conv_correlation.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "backends/cpu/conv_pack.h"
#include "backends/cpu/conv_parts.h"
#include "backends/cpu/conv_prefetch.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Turning a tile reads whole vectors of rows from any of its rows on.
constexpr std::int64_t kTileFloats =
    (kMaxJoinedPhases * kConvMaxRows + kConvMaxLanes) * kConvMaxVectors * kConvMaxLanes;

// One thread's work: units of some images, or of a band of one image's rows, of one group.
class Worker {
 public:
  // `scratch` holds floats(plan) floats.
  Worker(const CorrelationPlan& plan, const float* source, const float* packed, float* dest,
         float* scratch)
      : plan_(plan),
        kernels_(*plan.kernels),
        source_(source),
        packed_(packed),
        dest_(dest),
        tile_(scratch),
        dest_scratch_(tile_ + kTileFloats),
        tap_planes_(dest_scratch_ + dest_scratch_floats(plan)),
        source_scratch_(tap_planes_ + tap_floats(plan)) {
    std::fill_n(tile_, kTileFloats, 0.0f);
  }

  static std::int64_t floats(const CorrelationPlan& plan) {
    return kTileFloats + dest_scratch_floats(plan) + tap_floats(plan) +
           whole_lines(plan.source.scratch(plan.images));
  }
  static std::int64_t units(const CorrelationPlan& plan) {
    return plan.groups * ceil_div(plan.batch, plan.images) * plan.bands;
  }

  // Task index = panel group * units + unit: neighbours share weights.
  void run(std::int64_t task) {
    const std::int64_t count = units(plan_);
    const auto panels = static_cast<std::int64_t>(plan_.panels.size());
    const std::int64_t panel_group = task / count;
    select(task % count);
    if (plan_.lanes == CorrelationLanes::taps) return run_taps();
    const std::int64_t end = (panel_group + 1) * panels / plan_.panel_groups;
    for (std::int64_t p = panel_group * panels / plan_.panel_groups; p < end; ++p) {
      const CorrelationPanel& panel = plan_.panels[static_cast<std::size_t>(p)];
      if (plan_.lanes == CorrelationLanes::channels) {
        run_lane_tiles(panel);
      } else {
        run_pixel_tiles(panel);
      }
      if (plan_.dest_scratch > 0) merge_phases(panel);
    }
  }

  // What run(task) has made.
  ConvBlock block(std::int64_t task) const {
    const auto panels = static_cast<std::int64_t>(plan_.panels.size());
    const std::int64_t panel_group = task / units(plan_);
    const auto panel_channel = [&](std::int64_t group) {
      const std::int64_t p = group * panels / plan_.panel_groups;
      return p == panels ? plan_.dest_channels : plan_.panels[static_cast<std::size_t>(p)].channel;
    };
    const bool whole = plan_.lanes == CorrelationLanes::taps;
    const std::int64_t first = group_ * plan_.dest_channels;
    const std::int64_t row = plan_.dest_size[2] * plan_.dest_step[1];
    const bool bands = plan_.bands > 1;
    const std::int64_t end = (first_row_ + plan_.band) * row;
    return {
        {image_, first + (whole ? 0 : panel_channel(panel_group)), bands ? first_row_ * row : 0},
        {image_ + images_, first + (whole ? plan_.dest_channels : panel_channel(panel_group + 1)),
         bands ? std::min(end, plan_.dest_plane()) : plan_.dest_plane()}};
  }

 private:
  // A row of a phase: where its pixels come from and go to.
  struct Row {
    const float* from;
    float* to;
  };

  static std::int64_t dest_scratch_floats(const CorrelationPlan& plan) {
    if (plan.dest_scratch == 0) return 0;
    std::int64_t most = 0;
    for (const CorrelationPanel& panel : plan.panels) most = std::max(most, panel.count);
    if (plan.lanes == CorrelationLanes::taps) most = plan.dest_channels;
    return whole_lines(most * plan.images * plan.dest_scratch + kConvMaxLanes);
  }

  static std::int64_t tap_floats(const CorrelationPlan& plan) {
    if (plan.lanes != CorrelationLanes::taps) return 0;
    return whole_lines(plan.dest_channels * plan.taps * plan.source_plane);
  }

  // Makes a unit the current one and its source ready.
  void select(std::int64_t unit) {
    if (unit == unit_) return;
    const std::int64_t blocks = ceil_div(plan_.batch, plan_.images);
    const std::int64_t band = unit % plan_.bands;
    group_ = unit / plan_.bands / blocks;
    image_ = unit / plan_.bands % blocks * plan_.images;
    images_ = std::min(plan_.images, plan_.batch - image_);
    const std::int64_t first_row = band * plan_.band;
    const std::int64_t image_floats = plan_.groups * plan_.source_channels * plan_.source_plane;
    const float* from =
        source_ + image_ * image_floats + group_ * plan_.source_channels * plan_.source_plane;
    if (plan_.source.in_place()) {
      unit_source_ = from + first_row * plan_.source.row_stride();
      unit_image_stride_ = image_floats;
    } else {
      plan_.source.fill(from, image_floats, images_, first_row,
                        unit_ < 0 || first_row != first_row_, source_scratch_);
      unit_source_ = source_scratch_;
      unit_image_stride_ = plan_.source.image_stride();
    }
    unit_ = unit;
    first_row_ = first_row;
    fetch_next(from + images_ * image_floats, image_floats);
  }

  // Fetches the images that follow, if they are the next unit's.
  void fetch_next(const float* from, std::int64_t image_floats) {
    const std::int64_t images = std::min(images_, plan_.batch - image_ - images_);
    if (plan_.groups > 1 || plan_.bands > 1 || images <= 0) return;
    const bool channels = plan_.lanes == CorrelationLanes::channels;
    const std::int64_t pixels = images * plan_.dest_plane();
    const std::int64_t tiles = pixels /
                               (channels ? kernels_.rows * plan_.joined : 2 * kernels_.lanes) *
                               static_cast<std::int64_t>(plan_.panels.size()) / plan_.panel_groups;
    prefetch_.begin(from, images * image_floats, tiles);
  }

  std::int64_t rows_of(const CorrelationPhase& phase) const {
    return std::clamp<std::int64_t>(phase.count[1] - first_row_, 0, plan_.band);
  }

  // Floats of dest from one channel of the current panel to the next.
  std::int64_t channel_stride() const {
    return plan_.dest_scratch > 0 ? plan_.images * plan_.dest_scratch : plan_.dest_plane();
  }

  float* dest_at(std::int64_t image, std::int64_t channel) const {
    return dest_ + ((image_ + image) * plan_.groups * plan_.dest_channels +
                    group_ * plan_.dest_channels + channel) *
                       plan_.dest_plane();
  }

  // Rows of a phase in the current unit.
  std::int64_t unit_rows(const CorrelationPhase& phase) const {
    return phase.count[2] == 0 ? 0 : images_ * phase.count[0] * rows_of(phase);
  }

  Row row_of(const CorrelationPhase& phase, const CorrelationPanel& panel,
             std::int64_t index) const {
    const std::int64_t rows = rows_of(phase);
    const std::int64_t h = index % rows;
    const std::int64_t d = index / rows % phase.count[0];
    const std::int64_t image = index / rows / phase.count[0];
    Row row;
    row.from = unit_source_ + image * unit_image_stride_ + d * plan_.source.depth_stride() +
               h * plan_.source.row_stride();
    if (plan_.dest_scratch > 0) {
      row.to = dest_scratch_ + image * plan_.dest_scratch + phase.scratch +
               (d * std::min(plan_.band, phase.count[1]) + h) * phase.count[2];
    } else {
      const std::int64_t plane = d * plan_.dest_step[0] + phase.residue[0];
      const std::int64_t line = (first_row_ + h) * plan_.dest_step[1] + phase.residue[1];
      row.to =
          dest_at(image, panel.channel) + (plane * plan_.dest_size[1] + line) * plan_.dest_size[2];
    }
    return row;
  }

  const float* weights_of(const CorrelationPhase& phase, const CorrelationPanel& panel) const {
    return packed_ + group_ * plan_.group_weights() + phase.weights + panel.begin * phase.depth();
  }

  void run_lane_tiles(const CorrelationPanel& panel) {
    const CorrelationPhase& phase = plan_.phases[0];
    const std::int64_t width = phase.count[2];
    const std::int64_t rows = images_ * phase.count[0] * rows_of(phase);
    const std::int64_t piece = ceil_div(width, ceil_div(width, std::int64_t{kernels_.rows}));
    const std::int64_t most = std::clamp<std::int64_t>(kernels_.rows / piece, 1, kConvMaxGroups);
    for (std::int64_t first = 0; first < width; first += piece) {
      const std::int64_t count = std::min(piece, width - first);
      for (std::int64_t r = 0; r < rows; r += most) {
        // All phases of some rows in turn: they share cache lines of dest.
        for (std::size_t p = 0; p < plan_.phases.size(); p += std::size_t(plan_.joined)) {
          const CorrelationPhase* phases = &plan_.phases[p];
          const std::int64_t groups = std::min(most, unit_rows(phases[0]) - r);
          if (groups > 0) run_lane_tile(phases, panel, r, groups, first, count);
        }
      }
    }
  }

  // `count` pixels from `first` on of `groups` rows from `row` on, in phases that take turns in the
  // rows of dest.
  void run_lane_tile(const CorrelationPhase* phases, const CorrelationPanel& panel,
                     std::int64_t row, std::int64_t groups, std::int64_t first,
                     std::int64_t count) {
    prefetch_.step();
    const auto& kernels = kernels_.lane_tile[panel.width / kernels_.lanes - 1];
    const float* from[kConvMaxGroups];
    float* to[kConvMaxGroups];
    for (std::int64_t g = 0; g < groups; ++g) {
      const Row at = row_of(phases[0], panel, row + g);
      from[g] = at.from + first;
      to[g] = at.to + first * plan_.joined;
    }
    const std::int64_t stride = plan_.joined * panel.width;
    std::int64_t pixels = 0;
    for (std::int64_t w = 0; w < plan_.joined; ++w) {
      const CorrelationPhase& phase = phases[w];
      const std::int64_t size = std::min(count, phase.count[2] - first);
      if (size <= 0) continue;
      pixels += size;
      // A phase with fewer pixels leaves gaps between its rows.
      const std::int64_t together = size == count ? groups : 1;
      for (std::int64_t g = 0; g < groups; g += together) {
        kernels[together - 1][size - 1](
            phase.depth(), from + g, phase.offsets.data(), weights_of(phase, panel),
            tile_ + g * count * stride + w * panel.width, stride, false);
      }
    }
    for (std::int64_t g = 0; g < groups;) {
      // Rows that lie side by side are turned together.
      const std::int64_t begin = g++;
      while (g < groups && pixels == count * plan_.joined && to[g] == to[g - 1] + pixels) ++g;
      kernels_.turn_tile(tile_ + begin * count * stride, panel.width, (g - begin) * pixels,
                         panel.count, to[begin], channel_stride());
    }
  }

  void run_pixel_tiles(const CorrelationPanel& panel) {
    for (const CorrelationPhase& phase : plan_.phases) {
      const std::int64_t rows = unit_rows(phase);
      if (rows == 0) continue;
      const std::int64_t width = phase.count[2];
      const std::int64_t piece = ceil_div(width, ceil_div(width, std::int64_t{kernels_.lanes}));
      for (std::int64_t first = 0; first < width; first += piece) {
        run_pixel_tiles(phase, panel, rows, first, std::min(piece, width - first));
      }
    }
  }

  void run_pixel_tiles(const CorrelationPhase& phase, const CorrelationPanel& panel,
                       std::int64_t rows, std::int64_t first, std::int64_t count) {
    const auto channel = static_cast<std::size_t>(panel.count - 1);
    int size = panel.count <= kernels_.wide_rows ? 2 : 1;
    for (std::int64_t r = 0; r < rows;) {
      while (std::int64_t{1} << size > rows - r) --size;
      const float* from[4];
      float* to[4];
      for (std::int64_t v = 0; v < std::int64_t{1} << size; ++v) {
        const Row row = row_of(phase, panel, r + v);
        from[v] = row.from + first;
        to[v] = row.to + first;
      }
      prefetch_.step();
      kernels_.pixel_tile[size][channel](phase.depth(), from, phase.offsets.data(),
                                         weights_of(phase, panel), to, channel_stride(), count);
      r += std::int64_t{1} << size;
    }
  }

  // A unit with CorrelationLanes::taps.
  void run_taps() {
    for (std::int64_t image = 0; image < images_; ++image) {
      for (const CorrelationPanel& panel : plan_.panels) make_tap_planes(panel, image);
      for (std::int64_t m = 0; m < plan_.dest_channels; ++m) {
        for (const CorrelationPhase& phase : plan_.phases) add_tap_planes(phase, m, image);
      }
    }
    if (plan_.dest_scratch == 0) return;
    CorrelationPanel all;
    all.count = plan_.dest_channels;
    merge_phases(all);
  }

  // Each (dest channel, tap) of the panel, weighted over the source channels at all source pixels.
  void make_tap_planes(const CorrelationPanel& panel, std::int64_t image) {
    const std::int64_t lanes = kernels_.lanes;
    const std::int64_t pixels = plan_.source_plane;
    const float* weights =
        packed_ + group_ * plan_.group_weights() + panel.begin * plan_.source_channels;
    const float* source = unit_source_ + image * unit_image_stride_;
    float* planes = tap_planes_ + panel.channel * pixels;
    const std::int64_t vectors = ceil_div(pixels, lanes);
    int size = panel.count <= kernels_.wide_rows ? 2 : 1;
    for (std::int64_t v = 0; v < vectors; v += std::int64_t{1} << size) {
      while (std::int64_t{1} << size > vectors - v) --size;
      const float* from[4];
      float* to[4];
      for (std::int64_t i = 0; i < std::int64_t{1} << size; ++i) {
        // The last vector overlaps the one before it.
        const std::int64_t first = std::min((v + i) * lanes, pixels - lanes);
        from[i] = source + first;
        to[i] = planes + first;
      }
      kernels_.pixel_tile[size][panel.count - 1](
          plan_.source_channels, from, plan_.channel_offsets.data(), weights, to, pixels, lanes);
    }
  }

  // Adds up the planes of the taps that reach a phase.
  void add_tap_planes(const CorrelationPhase& phase, std::int64_t channel, std::int64_t image) {
    float* to =
        plan_.dest_scratch > 0
            ? dest_scratch_ + (channel * plan_.images + image) * plan_.dest_scratch + phase.scratch
            : dest_at(image, channel);
    const float* from = tap_planes_ + channel * plan_.taps * plan_.source_plane;
    for (std::size_t d = 0; d < phase.planes.size(); ++d) {
      const auto& planes = phase.planes[d];
      kernels_.sum_planes(from, planes.data(), static_cast<std::int64_t>(planes.size()),
                          plan_.source_size[2], phase.count[1], phase.count[2], to);
      to += phase.count[1] * phase.count[2];
    }
  }

  // Brings the phases of a panel together in dest.
  void merge_phases(const CorrelationPanel& panel) const {
    const auto& step = plan_.dest_step;
    for (std::int64_t image = 0; image < images_; ++image) {
      for (std::int64_t d = 0; d < plan_.dest_size[0]; ++d) {
        for (std::int64_t h = 0; h < step[1]; ++h) {
          const std::int64_t line = (d % step[0] * step[1] + h) * step[2];
          merge_rows(panel, image, d, &plan_.phases[static_cast<std::size_t>(line)]);
        }
      }
    }
  }

  // `phases` are those of all residues of axis 2.
  void merge_rows(const CorrelationPanel& panel, std::int64_t image, std::int64_t d,
                  const CorrelationPhase* phases) const {
    const std::int64_t step = plan_.dest_step[2];
    const auto from = [&](const CorrelationPhase& phase) {
      return dest_scratch_ + image * plan_.dest_scratch + phase.scratch +
             d / plan_.dest_step[0] * std::min(plan_.band, phase.count[1]) * phase.count[2];
    };
    RowCopy copy;
    copy.blocks = panel.count;
    copy.rows = rows_of(phases[0]);
    copy.from_block = channel_stride();
    copy.to_block = plan_.dest_plane();
    copy.to_row = plan_.dest_step[1] * plan_.dest_size[2];
    float* to = dest_at(image, panel.channel) +
                (d * plan_.dest_size[1] + first_row_ * plan_.dest_step[1] + phases[0].residue[1]) *
                    plan_.dest_size[2];
    if (step == 2 && phases[1].count[2] == phases[0].count[2]) {
      copy.from_row = phases[0].count[2];
      for (std::size_t i = 0; i < 2; ++i) {
        copy.from[i] = from(phases[i]);
        copy.count[i] = phases[i].count[2];
      }
      copy.to[0] = to;
      kernels_.merge_rows(copy);
      return;
    }
    for (std::int64_t w = 0; w < step; ++w) {
      const float* plane = from(phases[w]);
      const std::int64_t count = phases[w].count[2];
      for (std::int64_t c = 0; c < copy.blocks; ++c) {
        for (std::int64_t r = 0; r < copy.rows; ++r) {
          const float* row = plane + c * copy.from_block + r * count;
          float* out = to + c * copy.to_block + r * copy.to_row + w;
          for (std::int64_t i = 0; i < count; ++i) out[i * step] = row[i];
        }
      }
    }
  }

  const CorrelationPlan& plan_;
  const ConvKernels& kernels_;
  const float* source_;
  const float* packed_;
  float* dest_;
  float* tile_;
  float* dest_scratch_;
  float* tap_planes_;
  float* source_scratch_;
  // The current unit.
  std::int64_t unit_ = -1;
  std::int64_t group_ = 0;
  std::int64_t image_ = 0;
  std::int64_t images_ = 0;
  std::int64_t first_row_ = 0;
  const float* unit_source_ = nullptr;
  std::int64_t unit_image_stride_ = 0;
  Prefetch prefetch_;
};

bool has_work(const ConvShape& shape) {
  const std::int64_t channels =
      shape.role == ConvAttrs::out ? shape.out_channels : shape.in_channels;
  const std::int64_t plane = shape.role == ConvAttrs::out ? shape.out_plane() : shape.in_plane();
  return shape.batch * shape.groups * channels * plane > 0;
}

}  // namespace

ConvCorrelation::ConvCorrelation(const ConvShape& shape) : empty_(!has_work(shape)) {
  if (!empty_) plan_ = plan_correlation(shape);
}

void ConvCorrelation::run(const float* source, const float* weights, float* dest,
                          const ConvEpilogue* epilogue) const {
  if (empty_) return;
  const std::int64_t tasks = plan_.panel_groups * Worker::units(plan_);
  const std::int64_t parts = conv_parts(plan_.multiply_adds(), tasks);
  const std::int64_t floats = std::max(Worker::floats(plan_), pack_scratch(plan_));
  // Each thread's share begins on a page of its own.
  const std::int64_t share = whole_pages(floats);
  float* scratch = thread_scratch(parts * share + plan_.groups * plan_.group_weights());
  float* packed = scratch + parts * share;
  pack_weights(plan_, weights, parts, scratch, share, packed);
  parallel_parts(Shares(parts), tasks, [&](std::int64_t part, std::int64_t task, std::int64_t end) {
    Worker worker(plan_, source, packed, dest, scratch + part * share);
    for (; task < end; ++task) {
      worker.run(task);
      if (epilogue != nullptr) epilogue->run(worker.block(task));
    }
  });
}

}  // namespace genera::cpu
