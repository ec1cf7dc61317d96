#include "backends/cpu/conv_winograd.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/conv_parts.h"
#include "backends/cpu/conv_prefetch.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Source channels whose weights are packed at a time.
constexpr std::int64_t kChannels = 32;
// Whole vectors are read behind the last tile.
constexpr std::int64_t kBehind = kConvMaxLanes;

// Fitted to measurements of 240 random shapes with AVX-512: how much slower the products are than
// from L1, and the clock cycles of a vector of a row of pixels that is dealt out, and of the
// transformed source, dest and weights, most of which are spent on the way to L2.
constexpr double kTileCost = 1.1;
constexpr double kSplitCost = 8.5;
constexpr double kSourceCost = 9;
constexpr double kDestCost = 2;
constexpr double kPackCost = 23;
// Estimates are good to a tenth; nothing should become slower.
constexpr double kMargin = 1.1;

}  // namespace

ConvWinograd::ConvWinograd(const ConvShape& shape) : tiles_(shape), kernel_taps_(shape.taps()) {
  const bool forward = shape.role == ConvAttrs::out;
  const ConvShape::Axes& dest = forward ? shape.out : shape.in;
  dest_weight_stride_ = forward ? shape.in_channels * kernel_taps_ : kernel_taps_;
  source_weight_stride_ = forward ? kernel_taps_ : shape.in_channels * kernel_taps_;
  dest_size_ = {dest[1], dest[2]};
  tile_rows_ =
      ceil_div(tiles_.dest_channels(), ceil_div(tiles_.dest_channels(), gemm_kernels().rows));
  for (std::int64_t to = 0; to < tiles_.dest_phases(); ++to) {
    for (std::int64_t from = 0; from < tiles_.source_phases(); ++from)
      taps_.push_back(tiles_.kernel_taps(to, from));
  }
  multiply_adds_ = shape.batch * tiles_.rows() * tiles_.cols() * all_weights();
}

// One thread's work.
class ConvWinograd::Worker {
 public:
  // `scratch` holds floats(conv) floats.
  Worker(const ConvWinograd& conv, const float* source, const float* packed, float* dest,
         float* scratch)
      : conv_(conv),
        tiles_(conv.tiles_),
        from_(source),
        packed_(packed),
        dest_(dest),
        points_(scratch),
        products_(points_ + whole_lines(WinogradSource::floats(tiles_))),
        pixels_(products_ + product_floats(conv)),
        source_(tiles_, pixels_ + pixel_floats(conv)) {}

  static std::int64_t floats(const ConvWinograd& conv) {
    return whole_lines(WinogradSource::floats(conv.tiles_)) + product_floats(conv) +
           pixel_floats(conv) + whole_lines(WinogradSource::scratch(conv.tiles_));
  }

  // With `more` the unit that follows is this worker's too.
  void run(std::int64_t index, bool more) {
    unit_ = tiles_.unit(index);
    for (std::int64_t phase = 0; phase < tiles_.dest_phases(); ++phase) {
      source_.transform(unit_, phase, from_, points_);
      if (more && phase == 0) {
        const std::int64_t steps = tiles_.dest_phases() * tiles_.points() *
                                   ceil_div(tiles_.dest_channels(), conv_.tile_rows_);
        source_.fetch(tiles_.unit(index + 1), from_, steps, prefetch_);
      }
      multiply(phase);
    }
    store();
  }

  // What run() has made.
  ConvBlock block() const {
    const std::int64_t row = conv_.dest_size_[1] * kWinogradTile * tiles_.step();
    const std::int64_t channel = unit_.group * tiles_.dest_channels();
    return {{unit_.image, channel, unit_.row * row},
            {unit_.image + unit_.images, channel + tiles_.dest_channels(),
             std::min((unit_.row + unit_.rows) * row, conv_.dest_plane())}};
  }

 private:
  // Floats of a dest phase's M.
  static std::int64_t phase_floats(const ConvWinograd& conv) {
    const WinogradTiles& tiles = conv.tiles_;
    return tiles.unit_panels() * tiles.points() * tiles.dest_channels() * tiles.panel_width();
  }
  static std::int64_t product_floats(const ConvWinograd& conv) {
    return whole_lines(conv.tiles_.dest_phases() * phase_floats(conv));
  }

  // The pixels of one channel, in 2 of 4 rows.
  static std::int64_t pixel_floats(const ConvWinograd& conv) {
    const WinogradTiles& tiles = conv.tiles_;
    return whole_lines(4 * tiles.step() * (tiles.unit_tiles() + kBehind) + kBehind);
  }

  // M = U V of a dest phase. A tile's rows of U stay in L1 while the panels pass.
  void multiply(std::int64_t phase) {
    const GemmKernels& kernels = gemm_kernels();
    const std::int64_t depth = tiles_.depth(), width = tiles_.panel_width();
    const std::int64_t channels = tiles_.dest_channels();
    const float* weights =
        packed_ + (unit_.group * tiles_.dest_phases() + phase) * conv_.phase_weights();
    float* products = products_ + phase * phase_floats(conv_);
    const std::int64_t panels = WinogradTiles::panels(unit_.tiles, width);
    for (std::int64_t e = 0; e < tiles_.points(); ++e) {
      for (std::int64_t row = 0; row < channels; row += conv_.tile_rows_) {
        const std::int64_t count = std::min(conv_.tile_rows_, channels - row);
        const auto& tile = kernels.tile[static_cast<int>(RowsLayout::interleaved)][count - 1];
        prefetch_.step();
        for (std::int64_t panel = 0; panel < panels; ++panel) {
          const bool half = unit_.tiles - panel * width <= kernels.lanes;
          const std::int64_t at = panel * tiles_.points() + e;
          tile[half ? 0 : 1](depth, weights + (e * channels + row) * depth, count,
                             points_ + at * depth * width, width,
                             products + (at * channels + row) * width, width,
                             half ? kernels.lanes : width, false, nullptr);
        }
      }
    }
  }

  // Y = A^T M A of all tiles.
  void store() const {
    const std::int64_t step = tiles_.step(), width = tiles_.panel_width();
    const auto kernel = winograd_kernels().dest[tiles_.taps() - kWinogradTaps][step - 1];
    WinogradDestTransform made;
    made.from_point = tiles_.dest_channels() * width;
    made.from_channel = width;
    made.from_panel = tiles_.points() * made.from_point;
    made.channels = tiles_.dest_channels();
    made.rows = unit_.rows;
    made.images = unit_.images;
    made.cols = tiles_.cols();
    made.pixels = pixels_;
    made.to_channel = conv_.dest_plane();
    made.to_image = tiles_.groups() * tiles_.dest_channels() * conv_.dest_plane();
    made.to_row = step * conv_.dest_size_[1];
    made.width = conv_.dest_size_[1];
    float* to = dest_ + unit_.image * made.to_image +
                unit_.group * tiles_.dest_channels() * conv_.dest_plane();
    for (std::int64_t residue = 0; residue < step; ++residue) {
      const std::int64_t row = kWinogradTile * step * unit_.row + residue;
      const std::int64_t left = ceil_div(conv_.dest_size_[0] - row, step);
      made.height = std::min(kWinogradTile * unit_.rows, left);
      made.to = to + row * conv_.dest_size_[1];
      for (std::int64_t s = 0; s < step; ++s)
        made.from[s] = products_ + (residue * step + s) * phase_floats(conv_);
      kernel(made);
    }
  }

  const ConvWinograd& conv_;
  const WinogradTiles& tiles_;
  const float* from_;
  const float* packed_;
  float* dest_;
  float* points_;    // V
  float* products_;  // M of each dest phase
  float* pixels_;
  WinogradSource source_;
  WinogradTiles::Unit unit_;
  Prefetch prefetch_;
};

std::int64_t ConvWinograd::pack_scratch() const {
  return kChannels * kernel_taps_ * tile_rows_ + kConvMaxLanes;
}

// U of kChannels source channels and the dest channels of one tile: [group][dest phase][e], then
// tiles of rows as [k][row].
void ConvWinograd::pack_slice(const float* weights, std::int64_t index, float* scratch,
                              float* packed) const {
  const std::int64_t slices = ceil_div(tiles_.channels(), kChannels);
  const std::int64_t tiles = ceil_div(tiles_.dest_channels(), tile_rows_);
  const std::int64_t begin = index % slices * kChannels;
  const std::int64_t channels = std::min(kChannels, tiles_.channels() - begin);
  const std::int64_t row = index / slices % tiles * tile_rows_;
  const std::int64_t count = std::min(tile_rows_, tiles_.dest_channels() - row);
  const std::int64_t group = index / slices / tiles;
  const float* from = weights + group * tiles_.dest_channels() * tiles_.channels() * kernel_taps_ +
                      row * dest_weight_stride_ + begin * source_weight_stride_;
  // [channel][tap][row]
  const bool together = source_weight_stride_ == kernel_taps_;
  const std::int64_t lines = together ? channels * kernel_taps_ : kernel_taps_;
  for (std::int64_t c = 0; c < (together ? 1 : channels); ++c) {
    gemm_kernels().pack_transposed(from + c * source_weight_stride_, dest_weight_stride_, count,
                                   lines, count, scratch + c * lines * count);
  }
  const std::int64_t phases = tiles_.source_phases();
  WinogradWeightTransform made;
  made.from = scratch;
  made.from_channel = kernel_taps_ * count;
  made.channels = channels;
  made.width = count;
  made.to_point = tiles_.dest_channels() * tiles_.depth();
  made.to_channel = phases * count;
  for (std::int64_t dest = 0; dest < tiles_.dest_phases(); ++dest) {
    for (std::int64_t source = 0; source < phases; ++source) {
      made.taps = taps_[static_cast<std::size_t>(dest * phases + source)].data();
      made.to = packed + (group * tiles_.dest_phases() + dest) * phase_weights() +
                row * tiles_.depth() + (begin * phases + source) * count;
      winograd_kernels().weights[tiles_.taps() - kWinogradTaps](made);
    }
  }
}

void ConvWinograd::pack_weights(const float* weights, std::int64_t parts, float* scratch,
                                std::int64_t share, float* packed) const {
  const std::int64_t slices = tiles_.groups() * ceil_div(tiles_.dest_channels(), tile_rows_) *
                              ceil_div(tiles_.channels(), kChannels);
  parallel_parts(Shares(parts), slices, [&](std::int64_t part, std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) pack_slice(weights, i, scratch + part * share, packed);
  });
}

void ConvWinograd::run(const float* source, const float* weights, float* dest,
                       const ConvEpilogue* epilogue) const {
  const std::int64_t units = tiles_.units();
  const std::int64_t parts = conv_parts(multiply_adds_, units);
  // Each thread's share begins on a page of its own.
  const std::int64_t share = whole_pages(std::max(Worker::floats(*this), pack_scratch()));
  float* scratch = thread_scratch(parts * share + all_weights());
  float* packed = scratch + parts * share;
  pack_weights(weights, parts, scratch, share, packed);
  parallel_parts(Shares(parts), units, [&](std::int64_t part, std::int64_t unit, std::int64_t end) {
    Worker worker(*this, source, packed, dest, scratch + part * share);
    for (; unit < end; ++unit) {
      worker.run(unit, unit + 1 < end);
      if (epilogue != nullptr) epilogue->run(worker.block());
    }
  });
}

double ConvWinograd::cost(const ConvShape& shape) {
  const ConvWinograd conv(shape);
  return conv.product_cost() + conv.transform_cost() + conv.pack_cost() / double(shape.batch);
}

// The products of one image.
double ConvWinograd::product_cost() const {
  const std::int64_t channels = tiles_.dest_channels(), lanes = winograd_kernels().lanes;
  const std::int64_t vectors = ceil_div(tiles_.unit_tiles(), lanes);
  const double images = double(tiles_.unit_tiles()) / double(tiles_.rows() * tiles_.cols());
  const double rows = double(channels) / double(ceil_div(channels, tile_rows_));
  const double depth = double(tiles_.depth());
  const auto tile = [&](double width) {
    return depth * std::max({4.0, rows * width / 2, (rows + width) / 2}) + 30 + 2 * rows * width;
  };
  const double tiles = double(tiles_.dest_phases() * tiles_.points()) * double(channels) / rows;
  return kTileCost * tiles * (double(vectors / 2) * tile(2) + double(vectors % 2) * tile(1)) /
         images;
}

// The transforms of one image's source and dest.
double ConvWinograd::transform_cost() const {
  const double points = double(tiles_.points()), phases = double(tiles_.dest_phases());
  const std::int64_t lanes = winograd_kernels().lanes;
  const double images = double(tiles_.unit_tiles()) / double(tiles_.rows() * tiles_.cols());
  const double vectors = double(ceil_div(tiles_.unit_tiles(), lanes)) / images;
  const double lines = double(tiles_.rows()) * double(ceil_div(tiles_.cols(), lanes));
  const double source =
      double(tiles_.depth()) * (2 * lines * kSplitCost + phases * points * vectors * kSourceCost);
  const double dest = double(tiles_.dest_channels()) * phases * vectors * points * kDestCost;
  return source + dest;
}

double ConvWinograd::pack_cost() const {
  return double(tiles_.dest_phases() * phase_weights()) / winograd_kernels().lanes * kPackCost;
}

bool ConvWinograd::suits(const ConvShape& shape) {
  if (!WinogradTiles::applies(shape)) return false;
  return kMargin * cost(shape) < plan_correlation(shape).cost;
}

}  // namespace genera::cpu
