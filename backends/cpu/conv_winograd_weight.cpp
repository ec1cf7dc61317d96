#include "backends/cpu/conv_winograd_weight.h"

#include <algorithm>
#include <cstddef>

#include "backends/cpu/conv_parts.h"
#include "backends/cpu/conv_weight_gradient.h"
#include "backends/cpu/conv_winograd_tiles.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Floats of sums that stay in L2 while blocks add to them.
constexpr std::int64_t kSumBudget = 128 * 1024;
// Floats of both transformed operands of a block, and bounds on its tiles: each block loads and
// stores all sums once.
constexpr std::int64_t kBlockBudget = 160 * 1024;
constexpr std::int64_t kLeastTiles = 64;
constexpr std::int64_t kMostTiles = 256;
// Tasks, for the threads, and floats of all chunks' sums.
constexpr std::int64_t kTasks = 8;
constexpr std::int64_t kChunkBudget = 1280 * 1024;

// For 2 and 3 taps, as the columns of Source and Gradient in the kernels.
constexpr WinogradPointRow kSourceRows[2][4] = {{{WinogradPair::difference, 0, 1},
                                                 {WinogradPair::first, 1, 1},
                                                 {WinogradPair::difference, 1, 2}},
                                                {{WinogradPair::difference, 0, 2},
                                                 {WinogradPair::sum, 1, 2},
                                                 {WinogradPair::difference, 2, 1},
                                                 {WinogradPair::difference, 1, 3}}};
constexpr WinogradPointRow kGradientRows[2][4] = {
    {{WinogradPair::first, 0, 0}, {WinogradPair::sum, 0, 1}, {WinogradPair::first, 1, 1}},
    {{WinogradPair::first, 0, 0},
     {WinogradPair::sum, 0, 1},
     {WinogradPair::difference, 0, 1},
     {WinogradPair::first, 1, 1}}};

}  // namespace

bool ConvWinogradWeight::suits(const ConvShape& shape) {
  // The other estimate is some 10 % too low, which leaves a margin.
  return WinogradTiles::applies(shape) &&
         ConvWinogradWeight(shape).cost() < double(shape.batch) * ConvWeightGradient::cost(shape);
}

// Multiply-adds, two at a time where a tile has rows enough to hide their latency, and per vector
// kTurn for pixels that are turned, kTransform for points, kSum for sums and weights (measured).
double ConvWinogradWeight::cost() const {
  constexpr double kTurn = 8, kTransform = 6.5, kSum = 5;
  const double points = double(points_ * points_), lanes = gemm_.lanes;
  const std::int64_t pieces = y_.panels * ceil_div(std::min(panel(), y_.channels), gemm_.rows);
  const double rows = double(y_.channels) / double(pieces);
  const double source = double(sum_columns()) / lanes, gradient = double(y_.padded) / lanes;
  const double product = points * double(pieces) * source * std::max(2.0, 0.525 * rows + 0.25);
  const double transform = points * (source + gradient * double(panel_parts_));
  const double x_pixels = double(x_.step * x_.step * x_.padded) / lanes;
  const double y_pixels = double(y_.step * y_.step * y_.padded) / lanes;
  const double turn = double(point_parts_) * (x_pixels + y_pixels * double(panel_parts_));
  const double tiles = double(shape_.batch * tile_rows_ * tile_columns_);
  const double sums = double(chunk_floats() * (chunks_ + 1)) / lanes;
  return tiles * (product + kTransform * transform + kTurn * turn) + kSum * sums;
}

ConvWinogradWeight::ConvWinogradWeight(const ConvShape& shape)
    : shape_(shape), gemm_(gemm_kernels()), kernels_(winograd_weight_kernels()) {
  taps_ = shape.kernel[1] / shape.stride[1];
  points_ = kWinogradTile + taps_ - 1;
  make_sides();
  make_parts();
  make_blocks();
}

void ConvWinogradWeight::make_sides() {
  tile_rows_ = ceil_div(shape_.out[1], kWinogradTile);
  tile_columns_ = ceil_div(shape_.out[2], kWinogradTile);
  const std::int64_t stride = shape_.stride[1];
  x_.channels = shape_.in_channels;
  x_.residues = stride;
  x_.step = kWinogradTile * stride;
  x_.halo = (taps_ - 1) * stride;
  y_.channels = shape_.out_channels;
  y_.step = kWinogradTile;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    x_.size[axis] = shape_.in[axis + 1];
    x_.pad[axis] = shape_.pad[axis + 1];
    x_.extent[axis] = (shape_.out[axis + 1] - 1) * stride + shape_.kernel[axis + 1];
    y_.size[axis] = shape_.out[axis + 1];
    y_.extent[axis] = shape_.out[axis + 1];
  }
  const std::int64_t form = taps_ - kWinogradTaps;
  x_.point_rows = kSourceRows[form];
  x_.transforms = kernels_.source[form];
  y_.point_rows = kGradientRows[form];
  y_.transforms = kernels_.gradient[form];
  for (Side* side : {&x_, &y_}) {
    side->padded = round_up(side->channels, gemm_.lanes);
    side->panels = ceil_div(side->channels, panel());
    side->columns = tile_columns_ * side->step + side->halo;
  }
}

// Sums that do not fit into a cache are cut into rows of points first, which transform nothing
// twice, then by channels of x.
void ConvWinogradWeight::make_parts() {
  if (chunk_floats() > kSumBudget) point_parts_ = points_;
  panel_parts_ = std::clamp<std::int64_t>(ceil_div(chunk_floats(), point_parts_ * kSumBudget), 1,
                                          source_panels());
}

void ConvWinogradWeight::make_blocks() {
  const std::int64_t points = points_ * points_ / point_parts_;
  const std::int64_t per_tile =
      points * (ceil_div(source_panels(), panel_parts_) + y_.panels) * panel();
  const std::int64_t tiles = std::clamp(kBlockBudget / per_tile, kLeastTiles, kMostTiles);
  const std::int64_t rows = shape_.batch * tile_rows_;
  blocks_ = ceil_div(rows, std::max<std::int64_t>(1, tiles / tile_columns_));
  block_rows_ = ceil_div(rows, blocks_);
  blocks_ = ceil_div(rows, block_rows_);
  const std::int64_t most =
      std::max<std::int64_t>(1, kChunkBudget / (shape_.groups * chunk_floats()));
  // An even number of tasks, which two threads share alike.
  const std::int64_t parts = shape_.groups * point_parts_ * panel_parts_;
  chunks_ = std::min({round_up(ceil_div(kTasks, parts), parts % 2 + 1), blocks_, most});
  if (chunks_ * parts < kTasks || chunks_ * parts % 2 != 0) {
    const std::int64_t wanted = ceil_div(kTasks, chunks_ * shape_.groups * point_parts_);
    panel_parts_ = std::min(source_panels(), round_up(std::max(panel_parts_, wanted), 2));
  }
}

// The rows of pixels of one row of tiles, in one panel.
std::int64_t ConvWinogradWeight::band_floats(const Side& side) const {
  return (side.step + side.halo) * side.columns * panel();
}

std::int64_t ConvWinogradWeight::worker_floats() const {
  const std::int64_t points = points_ * points_ / point_parts_;
  const std::int64_t transformed =
      points * block_tiles() * panel() * (ceil_div(source_panels(), panel_parts_) + y_.panels);
  const std::int64_t last = shape_.taps() * x_.padded;
  return std::max(transformed + std::max(band_floats(x_), band_floats(y_)), last);
}

// One thread's work: some points and panels of one chunk of blocks.
class ConvWinogradWeight::Worker {
 public:
  Worker(const ConvWinogradWeight& conv, const float* x, const float* y, float* sums,
         float* scratch)
      : conv_(conv), x_(x), y_(y), sums_(sums), scratch_(scratch) {}

  void run(std::int64_t task) {
    const std::int64_t panel_part = task % conv_.panel_parts_;
    task /= conv_.panel_parts_;
    const std::int64_t point_part = task % conv_.point_parts_;
    task /= conv_.point_parts_;
    group_ = task % conv_.shape_.groups;
    chunk_ = task / conv_.shape_.groups;
    first_panel_ = panel_part * conv_.source_panels() / conv_.panel_parts_;
    last_panel_ = (panel_part + 1) * conv_.source_panels() / conv_.panel_parts_;
    point_rows_ = conv_.points_ / conv_.point_parts_;
    first_row_ = point_part * point_rows_;
    const std::int64_t begin = chunk_ * conv_.blocks_ / conv_.chunks_;
    const std::int64_t end = (chunk_ + 1) * conv_.blocks_ / conv_.chunks_;
    for (std::int64_t block = begin; block < end; ++block) add_block(block, block > begin);
  }

 private:
  // Both operands lie as (point, panel, tile, channel).
  std::int64_t source_point() const { return (last_panel_ - first_panel_) * panel_floats_; }
  std::int64_t gradient_point() const { return conv_.y_.panels * panel_floats_; }

  void add_block(std::int64_t block, bool accumulate) {
    const std::int64_t rows = conv_.shape_.batch * conv_.tile_rows_;
    first_tile_row_ = block * conv_.block_rows_;
    last_tile_row_ = std::min(first_tile_row_ + conv_.block_rows_, rows);
    tiles_ = (last_tile_row_ - first_tile_row_) * conv_.tile_columns_;
    panel_floats_ = tiles_ * conv_.panel();
    const std::int64_t points = point_rows_ * conv_.points_;
    float* source = scratch_;
    float* gradient = source + points * source_point();
    band_ = gradient + points * gradient_point();
    const std::int64_t phases = conv_.phases();
    for (std::int64_t p = first_panel_ / phases; p * phases < last_panel_; ++p) {
      transform(conv_.x_, x_, p, first_panel_, last_panel_ - first_panel_, source);
    }
    for (std::int64_t p = 0; p < conv_.y_.panels; ++p) {
      transform(conv_.y_, y_, p, 0, conv_.y_.panels, gradient);
    }
    for (std::int64_t point = 0; point < points; ++point) {
      multiply(first_row_ * conv_.points_ + point, source + point * source_point(),
               gradient + point * gradient_point(), accumulate);
    }
  }

  // The channels of a panel: whole vectors, of which `count` channels are there.
  struct Panel {
    std::int64_t first, count, width;
  };
  Panel panel(const Side& side, std::int64_t index) const {
    Panel made{};
    made.first = index * conv_.panel();
    made.count = std::min(conv_.panel(), side.channels - made.first);
    made.width = std::min(conv_.panel(), side.padded - made.first);
    return made;
  }

  // Transforms panel `index` of one side for all tiles of the block; of its phases, those whose
  // place is one of `places` that begin at `first_place`.
  void transform(const Side& side, const float* images, std::int64_t index,
                 std::int64_t first_place, std::int64_t places, float* to) {
    const Panel channels = panel(side, index);
    const std::int64_t plane = side.size[0] * side.size[1];
    const std::int64_t phases = side.residues * side.residues;
    WinogradLine line;
    line.column = side.residues * channels.width;
    line.tile_stride = side.step * channels.width;
    line.tiles = conv_.tile_columns_;
    line.vectors = channels.width > conv_.gemm_.lanes ? 2 : 1;
    line.point_stride = places * panel_floats_;
    std::int64_t row = first_tile_row_;
    for (std::int64_t tile = 0; row < last_tile_row_;) {
      const std::int64_t image = row / conv_.tile_rows_;
      const std::int64_t first = row % conv_.tile_rows_;
      const std::int64_t rows = std::min(conv_.tile_rows_ - first, last_tile_row_ - row);
      const std::int64_t channel =
          (image * conv_.shape_.groups + group_) * side.channels + channels.first;
      const float* from = images + channel * plane;
      std::int64_t filled = first * side.step;
      for (std::int64_t r = first; r < first + rows; ++r, tile += conv_.tile_columns_) {
        const std::int64_t end = (r + 1) * side.step + side.halo;
        for (; filled < end; ++filled) fill(side, from, channels, filled);
        for (std::int64_t phase = 0; phase < phases; ++phase) {
          const std::int64_t place = index * phases + phase - first_place;
          if (place < 0 || place >= places) continue;
          transform_rows(side, r * side.step + phase / side.residues,
                         phase % side.residues * channels.width, channels.width,
                         to + place * panel_floats_ + tile * channels.width, line);
        }
      }
      row += rows;
    }
  }

  // The task's rows of points of one row of tiles, whose pixels begin at `row` and `column`.
  void transform_rows(const Side& side, std::int64_t row, std::int64_t column, std::int64_t width,
                      float* to, WinogradLine& line) const {
    for (std::int64_t r = first_row_; r < first_row_ + point_rows_; ++r) {
      const WinogradPointRow& rows = side.point_rows[r];
      line.from[0] = band_row(side, row + rows.first * side.residues, width) + column;
      line.from[1] = band_row(side, row + rows.second * side.residues, width) + column;
      line.to = to + (r - first_row_) * conv_.points_ * line.point_stride;
      side.transforms[static_cast<int>(rows.pair)](line);
    }
  }

  // Where a row of the tiles' pixels lies: as many rows are held as a row of tiles has.
  float* band_row(const Side& side, std::int64_t row, std::int64_t width) const {
    return band_ + row % (side.step + side.halo) * side.columns * width;
  }

  // Row `row` of the tiles' pixels as (column, channel), with zeros where the image has none.
  void fill(const Side& side, const float* image, const Panel& channels, std::int64_t row) const {
    const std::int64_t width = channels.width;
    const std::int64_t begin = std::max<std::int64_t>(0, side.pad[1]);
    const std::int64_t end = std::max(begin, std::min(side.extent[1], side.size[1] + side.pad[1]));
    const std::int64_t y = row - side.pad[0];
    float* to = band_row(side, row, width);
    if (y < 0 || y >= side.size[0] || row >= side.extent[0] || begin >= end) {
      std::fill_n(to, side.columns * width, 0.0f);
      return;
    }
    std::fill_n(to, begin * width, 0.0f);
    conv_.gemm_.pack_transposed(image + y * side.size[1] + begin - side.pad[1],
                                side.size[0] * side.size[1], channels.count, end - begin, width,
                                to + begin * width);
    std::fill_n(to + end * width, (side.columns - end) * width, 0.0f);
  }

  // Adds gradient^T (out channels, tiles) times source (tiles, in channels) to the sums at a point.
  void multiply(std::int64_t point, const float* source, const float* gradient, bool accumulate) {
    const std::int64_t stride = conv_.sum_columns();
    const std::int64_t all = conv_.points_ * conv_.points_;
    float* sums =
        sums_ + ((chunk_ * conv_.shape_.groups + group_) * all + point) * conv_.point_floats();
    const std::int64_t phases = conv_.phases();
    for (std::int64_t q = first_panel_; q < last_panel_; ++q) {
      const Panel columns = panel(conv_.x_, q / phases);
      const std::int64_t column = q % phases * conv_.x_.padded + columns.first;
      const auto vectors = std::size_t{columns.width > conv_.gemm_.lanes};
      const float* b = source + (q - first_panel_) * panel_floats_;
      for (std::int64_t p = 0; p < conv_.y_.panels; ++p) {
        const Panel rows = panel(conv_.y_, p);
        const float* a = gradient + p * panel_floats_;
        const std::int64_t pieces = ceil_div(rows.count, conv_.gemm_.rows);
        for (std::int64_t i = 0; i < pieces; ++i) {
          const std::int64_t begin = i * rows.count / pieces;
          const std::int64_t count = (i + 1) * rows.count / pieces - begin;
          conv_.gemm_.tile[static_cast<int>(RowsLayout::interleaved)][static_cast<std::size_t>(
              count - 1)][vectors](tiles_, a + begin, rows.width, b, columns.width,
                                   sums + (rows.first + begin) * stride + column, stride,
                                   columns.width, accumulate, nullptr);
        }
      }
    }
  }

  const ConvWinogradWeight& conv_;
  const float* x_;
  const float* y_;
  float* sums_;
  float* scratch_;
  // The current task.
  std::int64_t group_ = 0;
  std::int64_t chunk_ = 0;
  std::int64_t first_panel_ = 0;
  std::int64_t last_panel_ = 0;
  std::int64_t first_row_ = 0;
  std::int64_t point_rows_ = 0;
  // The current block.
  std::int64_t first_tile_row_ = 0;
  std::int64_t last_tile_row_ = 0;
  std::int64_t tiles_ = 0;
  std::int64_t panel_floats_ = 0;
  float* band_ = nullptr;
};

// Adds the chunks of one channel of y in order and makes its weights.
void ConvWinogradWeight::sum_channel(const float* sums, std::int64_t channel, float* scratch,
                                     float* w) const {
  const std::int64_t group = channel / y_.channels;
  const std::int64_t width = x_.padded;
  const std::int64_t stride = shape_.stride[1];
  WinogradSums made;
  made.point_stride = point_floats();
  made.chunks = chunks_;
  made.chunk_stride = shape_.groups * chunk_floats();
  made.channels = width;
  made.column_stride = stride * width;
  made.row_stride = shape_.kernel[2] * made.column_stride;
  for (std::int64_t phase = 0; phase < phases(); ++phase) {
    made.from =
        sums + group * chunk_floats() + channel % y_.channels * sum_columns() + phase * width;
    made.to = scratch + (phase / stride * shape_.kernel[2] + phase % stride) * width;
    kernels_.weights[taps_ - kWinogradTaps](made);
  }
  const std::int64_t taps = shape_.taps();
  gemm_.transpose(scratch, width, x_.channels, taps, w + channel * x_.channels * taps, taps);
}

void ConvWinogradWeight::run(const float* x, const float* y, float* w) const {
  const std::int64_t parts = conv_parts(shape_.multiply_adds(), tasks());
  // Each thread's share begins on a page of its own.
  const std::int64_t share = whole_pages(worker_floats());
  float* scratch = thread_scratch(parts * share + chunks_ * shape_.groups * chunk_floats());
  float* sums = scratch + parts * share;
  const Shares shares(parts);
  parallel_parts(shares, tasks(), [&](std::int64_t part, std::int64_t task, std::int64_t end) {
    Worker worker(*this, x, y, sums, scratch + part * share);
    for (; task < end; ++task) worker.run(task);
  });
  const std::int64_t channels = shape_.groups * y_.channels;
  parallel_parts(shares, channels, [&](std::int64_t part, std::int64_t c, std::int64_t end) {
    for (; c < end; ++c) sum_channel(sums, c, scratch + part * share, w);
  });
}

}  // namespace genera::cpu
