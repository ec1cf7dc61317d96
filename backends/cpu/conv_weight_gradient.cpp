#include "backends/cpu/conv_weight_gradient.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "backends/cpu/conv_parts.h"
#include "backends/cpu/conv_prefetch.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Floats of padded images that one unit of work holds, if it can: half of a small L2.
constexpr std::int64_t kSourceBudget = 32 * 1024;
// Beyond this an image is cut into bands of rows.
constexpr std::int64_t kBandBudget = 256 * 1024;
// Floats of sums that stay in L2 while units add to them.
constexpr std::int64_t kSumBudget = 288 * 1024;
// Pixels that pass over all taps at a time: turned, they stay in L1.
constexpr std::int64_t kPixels = 224;
// Chunks of the sum over pixels, for the threads, and floats of all their sums.
constexpr std::int64_t kChunks = 8;
constexpr std::int64_t kChunkBudget = 8 * 1024 * 1024;
// Taps that are summed up and turned at a time.
constexpr std::int64_t kSumRows = 64;

// The convolution whose x is this one's y: its kernel is turned round.
ConvShape exchange(const ConvShape& shape) {
  ConvShape other = shape;
  std::swap(other.in_channels, other.out_channels);
  std::swap(other.in, other.out);
  for (std::size_t d = 0; d < 3; ++d) {
    other.pad[d] = (shape.kernel[d] - 1) * shape.dilation[d] - shape.pad[d];
  }
  return other;
}

// Clock cycles of one image and group as it is: multiply-adds, and turning y.
double direct_cost(const ConvShape& shape, int lanes) {
  const double vectors = double(ceil_div(shape.out_channels, lanes));
  const double sums = double(shape.in_channels * shape.taps());
  return double(shape.out_plane()) * vectors * (std::max(sums, 4.0) / 2 + 0.3 * double(lanes));
}

bool prefers_exchange(const ConvShape& shape) {
  const int lanes = conv_kernels().lanes;
  const ConvShape other = exchange(shape);
  return shape.stride == ConvShape::Axes{1, 1, 1} && other.out_plane() > 0 &&
         direct_cost(other, lanes) < 0.9 * direct_cost(shape, lanes);
}

}  // namespace

double ConvWeightGradient::cost(const ConvShape& shape) {
  return direct_cost(prefers_exchange(shape) ? exchange(shape) : shape, conv_kernels().lanes);
}

ConvWeightGradient::ConvWeightGradient(const ConvShape& shape)
    : shape_(shape), kernels_(conv_kernels()) {
  if (shape.weights() == 0 || shape.batch * shape.out_plane() == 0) return;
  if (prefers_exchange(shape)) {
    exchanged_ = true;
    shape_ = exchange(shape);
  }
  make_source();
  make_taps();
  make_offsets();
  make_chunks();
}

std::int64_t ConvWeightGradient::panels() const {
  return ceil_div(shape_.out_channels, kConvMaxVectors * kernels_.lanes);
}

std::int64_t ConvWeightGradient::panel_width(std::int64_t panel) const {
  const std::int64_t most = kConvMaxVectors * kernels_.lanes;
  return ceil_div(std::min(most, shape_.out_channels - panel * most), kernels_.lanes) *
         kernels_.lanes;
}

// Floats of one group's sums.
std::int64_t ConvWeightGradient::chunk_floats() const {
  return rows() * ceil_div(shape_.out_channels, kernels_.lanes) * kernels_.lanes;
}

void ConvWeightGradient::make_source() {
  ConvSource::Axes axes;
  for (std::size_t d = 0; d < 3; ++d) {
    axes[d].size = shape_.in[d];
    axes[d].lo = shape_.pad[d];
    axes[d].extent =
        (shape_.out[d] - 1) * shape_.stride[d] + (shape_.kernel[d] - 1) * shape_.dilation[d] + 1;
  }
  source_ = ConvSource(axes, shape_.in_channels, axes[1].extent, true);
  band_ = shape_.out[1];
  const std::int64_t row = source_.image_stride() / axes[1].extent;
  const std::int64_t halo = (shape_.kernel[1] - 1) * shape_.dilation[1] + 1;
  std::int64_t wanted = band_;
  if (!source_.in_place() && axes[1].extent * row > kBandBudget) {
    wanted = (kBandBudget / row - halo) / shape_.stride[1] + 1;
  }
  // Few images: their bands are shared out instead. Many pixels: their turned copies would not fit.
  if (shape_.batch < kChunks) wanted = std::min(wanted, ceil_div(band_ * shape_.batch, kChunks));
  const std::int64_t line = shape_.out[0] * shape_.out[2] * shape_.out_channels;
  wanted = std::min(wanted, kBandBudget / line);
  wanted = std::max(wanted, std::min<std::int64_t>(band_, 4));
  bands_ = ceil_div(band_, wanted);
  band_ = ceil_div(band_, bands_);
  bands_ = ceil_div(shape_.out[1], band_);
  if (bands_ > 1 && !source_.in_place()) {
    source_ = ConvSource(axes, shape_.in_channels, (band_ - 1) * shape_.stride[1] + halo, false);
  }
  if (bands_ == 1) {
    const std::int64_t floats =
        std::max(source_.image_stride(), shape_.out_channels * shape_.out_plane());
    images_ = std::clamp<std::int64_t>(kSourceBudget / floats, 1, ceil_div(shape_.batch, kChunks));
  }
  units_ = ceil_div(shape_.batch, images_) * bands_;
}

void ConvWeightGradient::make_taps() {
  const std::int64_t width = shape_.kernel[2];
  const bool adjacent = shape_.dilation[2] == 1;
  const std::int64_t piece =
      adjacent ? ceil_div(width, ceil_div(width, std::int64_t{kernels_.rows})) : 1;
  std::int64_t tap = 0;
  for (std::int64_t c = 0; c < shape_.in_channels; ++c) {
    for (std::int64_t d = 0; d < shape_.kernel[0]; ++d) {
      for (std::int64_t h = 0; h < shape_.kernel[1]; ++h) {
        for (std::int64_t w = 0; w < width; w += piece) {
          TapRow row;
          row.count = std::min(piece, width - w);
          row.tap = tap;
          tap += row.count;
          row.offset = c * source_.channel_stride() +
                       source_.offset({0, 0, 0}, {d * shape_.dilation[0], h * shape_.dilation[1],
                                                  w * shape_.dilation[2]});
          taps_.push_back(row);
        }
      }
    }
  }
}

void ConvWeightGradient::make_offsets() {
  const std::int64_t image_stride = source_.in_place()
                                        ? shape_.groups * shape_.in_channels * shape_.in_plane()
                                        : source_.image_stride();
  for (std::int64_t image = 0; image < images_; ++image) {
    for (std::int64_t d = 0; d < shape_.out[0]; ++d) {
      for (std::int64_t h = 0; h < band_; ++h) {
        for (std::int64_t w = 0; w < shape_.out[2]; ++w) {
          offsets_.push_back(image * image_stride +
                             source_.offset({0, 0, 0}, {d * shape_.stride[0], h * shape_.stride[1],
                                                        w * shape_.stride[2]}));
        }
      }
    }
  }
}

void ConvWeightGradient::make_chunks() {
  panel_groups_ = std::clamp<std::int64_t>(ceil_div(chunk_floats(), kSumBudget), 1, panels());
  const std::int64_t most =
      std::max<std::int64_t>(1, kChunkBudget / (shape_.groups * chunk_floats()));
  chunks_ = std::min({ceil_div(kChunks, shape_.groups * panel_groups_), units_, most});
}

// One thread's work: chunks of the sum, for some panels of a group.
class ConvWeightGradient::Worker {
 public:
  Worker(const ConvWeightGradient& conv, const float* x, const float* y, float* partials,
         float* scratch)
      : conv_(conv),
        shape_(conv.shape_),
        x_(x),
        y_(y),
        partials_(partials),
        turned_(scratch),
        source_scratch_(scratch + turned_floats(conv)) {}

  static std::int64_t floats(const ConvWeightGradient& conv) {
    return turned_floats(conv) + whole_lines(conv.source_.scratch(conv.images_));
  }

  void run(std::int64_t task) {
    const std::int64_t groups = conv_.panel_groups_;
    const std::int64_t chunk = task / groups / shape_.groups;
    group_ = task / groups % shape_.groups;
    first_panel_ = task % groups * conv_.panels() / groups;
    last_panel_ = (task % groups + 1) * conv_.panels() / groups;
    sums_ = partials_ + (chunk * shape_.groups + group_) * conv_.chunk_floats();
    const std::int64_t begin = chunk * conv_.units_ / conv_.chunks_;
    const std::int64_t end = (chunk + 1) * conv_.units_ / conv_.chunks_;
    accumulate_ = false;
    for (std::int64_t unit = begin; unit < end; ++unit) {
      select(unit);
      add_unit();
    }
  }

 private:
  static std::int64_t turned_floats(const ConvWeightGradient& conv) {
    const std::int64_t pixels = static_cast<std::int64_t>(conv.offsets_.size());
    return pixels * kConvMaxVectors * conv.kernels_.lanes *
           ceil_div(conv.panels(), conv.panel_groups_);
  }

  void select(std::int64_t unit) {
    const std::int64_t band = unit % conv_.bands_;
    const std::int64_t image = unit / conv_.bands_ * conv_.images_;
    images_ = std::min(conv_.images_, shape_.batch - image);
    first_row_ = band * conv_.band_;
    rows_ = std::min(conv_.band_, shape_.out[1] - first_row_);
    const std::int64_t image_floats = shape_.groups * shape_.in_channels * shape_.in_plane();
    const float* from = x_ + image * image_floats + group_ * shape_.in_channels * shape_.in_plane();
    const std::int64_t source_row = first_row_ * shape_.stride[1];
    if (conv_.source_.in_place()) {
      source_ = from + source_row * conv_.source_.row_stride();
    } else {
      conv_.source_.fill(from, image_floats, images_, source_row, source_row != filled_row_,
                         source_scratch_);
      filled_row_ = source_row;
      source_ = source_scratch_;
    }
    unit_y_ = y_ + (image * shape_.groups + group_) * shape_.out_channels * shape_.out_plane();
    fetch_next(from + images_ * image_floats, image_floats, shape_.batch - image - images_);
  }

  // Fetches the images that follow, if they are the next unit's.
  void fetch_next(const float* from, std::int64_t image_floats, std::int64_t left) {
    const std::int64_t images = std::min(images_, left);
    if (shape_.groups > 1 || conv_.bands_ > 1 || images <= 0) return;
    const std::int64_t y_floats = shape_.out_channels * shape_.out_plane();
    const std::int64_t tiles = static_cast<std::int64_t>(conv_.taps_.size()) / kConvMaxGroups *
                               (last_panel_ - first_panel_) *
                               ceil_div(images * shape_.out_plane(), kPixels);
    prefetch_x_.begin(from, images * image_floats, tiles);
    prefetch_y_.begin(unit_y_ + images_ * y_floats, images * y_floats, tiles);
  }

  // Pixels of one plane of axis 0.
  std::int64_t plane_pixels() const { return rows_ * shape_.out[2]; }

  // Rows of a short last band are missing at the end of every plane.
  bool whole() const { return rows_ == conv_.band_ || shape_.out[0] * images_ == 1; }

  void add_unit() {
    float* turned = turned_;
    for (std::int64_t panel = first_panel_; panel < last_panel_; ++panel) {
      const std::int64_t width = conv_.panel_width(panel);
      turn(panel, width, turned);
      float* sums = sums_ + conv_.rows() * panel * kConvMaxVectors * conv_.kernels_.lanes;
      const std::int64_t pieces = whole() ? 1 : images_ * shape_.out[0];
      const std::int64_t pixels = images_ * shape_.out[0] * plane_pixels() / pieces;
      for (std::int64_t i = 0; i < pieces; ++i) {
        const std::int64_t* offsets = conv_.offsets_.data() + i * conv_.band_ * shape_.out[2];
        add_pixels(offsets, pixels, turned + i * pixels * width, width, sums, accumulate_ || i > 0);
      }
      turned += images_ * shape_.out[0] * plane_pixels() * width;
    }
    accumulate_ = true;
  }

  // y of a panel as [pixel][channel].
  void turn(std::int64_t panel, std::int64_t width, float* to) const {
    const std::int64_t first = panel * kConvMaxVectors * conv_.kernels_.lanes;
    const std::int64_t count = std::min(width, shape_.out_channels - first);
    const std::int64_t plane = shape_.out_plane();
    for (std::int64_t image = 0; image < images_; ++image) {
      const float* from = unit_y_ + image * shape_.groups * shape_.out_channels * plane +
                          first * plane + first_row_ * shape_.out[2];
      // With all rows the planes of axis 0 follow each other.
      const bool joined = rows_ == shape_.out[1];
      const std::int64_t pixels = joined ? plane : plane_pixels();
      for (std::int64_t d = 0; d < (joined ? 1 : shape_.out[0]); ++d) {
        gemm_kernels().pack_transposed(from + d * shape_.out[1] * shape_.out[2], plane, count,
                                       pixels, width, to);
        to += pixels * width;
      }
    }
  }

  void add_pixels(const std::int64_t* offsets, std::int64_t pixels, const float* turned,
                  std::int64_t width, float* sums, bool accumulate) {
    const std::int64_t pieces = ceil_div(pixels, kPixels);
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::int64_t begin = i * pixels / pieces;
      const std::int64_t end = (i + 1) * pixels / pieces;
      add_taps(offsets + begin, end - begin, turned + begin * width, width, sums,
               accumulate || i > 0);
    }
  }

  void add_taps(const std::int64_t* offsets, std::int64_t pixels, const float* turned,
                std::int64_t width, float* sums, bool accumulate) {
    const auto& kernels = conv_.kernels_.lane_tile[width / conv_.kernels_.lanes - 1];
    const std::size_t count = conv_.taps_.size();
    for (std::size_t t = 0; t < count;) {
      const TapRow& first = conv_.taps_[t];
      const auto most =
          std::clamp<std::int64_t>(conv_.kernels_.rows / first.count, 1, kConvMaxGroups);
      const float* from[kConvMaxGroups];
      std::int64_t groups = 0;
      while (groups < most && t < count && conv_.taps_[t].count == first.count) {
        from[groups++] = source_ + conv_.taps_[t++].offset;
      }
      prefetch_x_.step();
      prefetch_y_.step();
      kernels[groups - 1][first.count - 1](pixels, from, offsets, turned, sums + first.tap * width,
                                           width, accumulate);
    }
  }

  const ConvWeightGradient& conv_;
  const ConvShape& shape_;
  const float* x_;
  const float* y_;
  float* partials_;
  float* turned_;
  float* source_scratch_;
  std::int64_t filled_row_ = -1;
  // The current task and unit.
  std::int64_t group_ = 0;
  std::int64_t first_panel_ = 0;
  std::int64_t last_panel_ = 0;
  float* sums_ = nullptr;
  bool accumulate_ = false;
  std::int64_t images_ = 0;
  std::int64_t first_row_ = 0;
  std::int64_t rows_ = 0;
  const float* source_ = nullptr;
  const float* unit_y_ = nullptr;
  Prefetch prefetch_x_;
  Prefetch prefetch_y_;
};

// Adds the chunks of kSumRows taps of one panel in order and turns the sum into w.
void ConvWeightGradient::sum_block(float* partials, std::int64_t index, float* w) const {
  const std::int64_t blocks = ceil_div(rows(), kSumRows);
  const std::int64_t block = index % blocks;
  const std::int64_t panel = index / blocks % panels();
  const std::int64_t group = index / blocks / panels();
  const std::int64_t first = panel * kConvMaxVectors * kernels_.lanes;
  const std::int64_t width = panel_width(panel);
  const std::int64_t row = block * kSumRows;
  const std::int64_t count = std::min(kSumRows, rows() - row);
  float* sum = partials + group * chunk_floats() + rows() * first + row * width;
  for (std::int64_t chunk = 1; chunk < chunks_; ++chunk) {
    const float* more = sum + chunk * shape_.groups * chunk_floats();
    for (std::int64_t i = 0; i < count * width; ++i) sum[i] += more[i];
  }
  const std::int64_t channels = std::min(width, shape_.out_channels - first);
  if (!exchanged_) {
    gemm_kernels().transpose(sum, width, channels, count,
                             w + (group * shape_.out_channels + first) * rows() + row, rows());
    return;
  }
  const std::int64_t taps = shape_.taps();
  for (std::int64_t r = row; r < row + count; ++r, sum += width) {
    const std::int64_t line = group * shape_.in_channels + r / taps;
    float* to = w + (line * shape_.out_channels + first) * taps + taps - 1 - r % taps;
    for (std::int64_t c = 0; c < channels; ++c) to[c * taps] = sum[c];
  }
}

void ConvWeightGradient::run(const float* x, const float* y, float* w) const {
  if (offsets_.empty()) {
    std::fill_n(w, shape_.weights(), 0.0f);
    return;
  }
  if (exchanged_) std::swap(x, y);
  const std::int64_t tasks = chunks_ * shape_.groups * panel_groups_;
  const std::int64_t parts = conv_parts(shape_.multiply_adds(), tasks);
  // Each thread's share begins on a page of its own.
  const std::int64_t share = whole_pages(Worker::floats(*this));
  float* scratch = thread_scratch(parts * share + chunks_ * shape_.groups * chunk_floats());
  float* partials = scratch + parts * share;
  parallel_parts(Shares(parts), tasks, [&](std::int64_t part, std::int64_t task, std::int64_t end) {
    Worker worker(*this, x, y, partials, scratch + part * share);
    for (; task < end; ++task) worker.run(task);
  });
  parallel_for(shape_.groups * panels() * ceil_div(rows(), kSumRows),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) sum_block(partials, i, w);
               });
}

}  // namespace genera::cpu
