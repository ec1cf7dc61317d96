#include "backends/cpu/gemm_core.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/gemm_plan.h"
#include "backends/cpu/rounding.h"
#include "backends/cpu/scratch.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {
namespace {

// Where tiles go: C itself, or a chunk's partial sum.
class TileOutput {
 public:
  TileOutput(const GemmKernels& kernels, const OutputView& view, std::int64_t batch, bool swapped)
      : kernels_(kernels), view_(view), swapped_(swapped) {
    view_.data += batch * view.batch_stride;
  }

  std::int64_t row_stride() const { return view_.row_stride; }
  /// Tiles go to memory of which `data` is C's element (row, col), at C's strides. Not for groups,
  /// nor if swapped.
  void move(float* data, std::int64_t row, std::int64_t col) {
    view_.data = data;
    origin_ = row * view_.row_stride + col;
  }

  /// The address of a tile that lies in one piece, else nullptr: then store() takes a copy of it.
  float* address(std::int64_t row, std::int64_t col, std::int64_t cols) const {
    if (swapped_) return nullptr;
    if (view_.group == 0) return view_.data + (row * view_.row_stride + col - origin_);
    const std::int64_t in_group = col % view_.group;
    if (in_group + cols > view_.group) return nullptr;
    return view_.data + row * view_.row_stride + col / view_.group * view_.group_stride + in_group;
  }

  /// Writes, or adds, a tile whose rows lie `stride` apart.
  void store(std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols,
             const float* tile, std::int64_t stride, bool accumulate) const {
    if (!swapped_) {
      for (std::int64_t i = 0; i < rows; ++i) {
        store_line(row + i, col, cols, tile + i * stride, accumulate);
      }
      return;
    }
    if (view_.group == 0 && !accumulate) {
      kernels_.transpose(tile, stride, cols, rows, view_.data + col * view_.row_stride + row,
                         view_.row_stride);
      return;
    }
    alignas(64) float turned[kMaxTileFloats];
    kernels_.transpose(tile, stride, cols, rows, turned, rows);
    for (std::int64_t j = 0; j < cols; ++j) {
      store_line(col + j, row, rows, turned + j * rows, accumulate);
    }
  }

 private:
  void store_line(std::int64_t m, std::int64_t n, std::int64_t count, const float* from,
                  bool accumulate) const {
    const std::int64_t group = view_.group == 0 ? n + count : view_.group;
    while (count > 0) {
      const std::int64_t piece = std::min(count, group - n % group);
      float* to = view_.data + m * view_.row_stride + n / group * view_.group_stride + n % group;
      if (accumulate) {
        for (std::int64_t i = 0; i < piece; ++i) to[i] += from[i];
      } else {
        std::memcpy(to, from, static_cast<std::size_t>(piece) * sizeof(float));
      }
      n += piece;
      from += piece;
      count -= piece;
    }
  }

  const GemmKernels& kernels_;
  OutputView view_;
  std::int64_t origin_ = 0;  // what lies at view_.data
  bool swapped_;
};

void pack_strided(const GemmSide& side, const float* from, std::int64_t count, std::int64_t width,
                  std::int64_t depth, float* out) {
  for (std::int64_t k = 0; k < depth; ++k, out += width, from += side.k_stride) {
    for (std::int64_t i = 0; i < count; ++i) out[i] = from[i * side.line_stride];
    std::fill(out + count, out + width, 0.0f);
  }
}

// Packs `count` lines as panels of `width` lines, one after the other; `pad` rounds the last one's
// width up to whole vectors.
void pack_lines(const GemmKernels& kernels, const GemmSide& side, std::int64_t batch,
                std::int64_t line, std::int64_t count, std::int64_t width, bool pad,
                std::int64_t k0, std::int64_t depth, float* out) {
  const float* from =
      side.data + batch * side.batch_stride + line * side.line_stride + k0 * side.k_stride;
  if (side.packer == nullptr && side.line_stride == 1) {
    kernels.pack_copied(from, side.k_stride, count, depth, width, pad, out);
    return;
  }
  for (std::int64_t i = 0; i < count; i += width, from += width * side.line_stride) {
    const std::int64_t size = std::min(width, count - i);
    const std::int64_t padded = pad ? round_up(size, kernels.lanes) : size;
    float* to = out + i * depth;
    if (side.packer != nullptr) {
      side.packer->pack(batch, line + i, size, padded, k0, depth, to);
    } else if (side.k_stride == 1) {
      kernels.pack_transposed(from, side.line_stride, size, depth, padded, to);
    } else {
      pack_strided(side, from, size, padded, depth, to);
    }
  }
}

struct Span {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

// Piece `index` of `pieces` of [0, size), in whole units of `unit`.
Span split(std::int64_t size, std::int64_t unit, std::int64_t index, std::int64_t pieces) {
  const std::int64_t units = (size + unit - 1) / unit;
  const std::int64_t begin = index * units / pieces * unit;
  return {begin, std::min(size, (index + 1) * units / pieces * unit)};
}

// The same with pieces as large as the threads are fast.
Span split(std::int64_t size, std::int64_t unit, std::int64_t index, const Shares& shares) {
  const std::int64_t units = (size + unit - 1) / unit;
  return {shares.begin(units, index) * unit, std::min(size, shares.begin(units, index + 1) * unit)};
}

Span common(const Span& a, const Span& b) {
  return {std::max(a.begin, b.begin), std::min(a.end, b.end)};
}

// The sums of one chunk of k, before they are added up: rows and columns as the tiles have them.
OutputView partial_view(const GemmPlan& plan, float* partials, std::int64_t product) {
  OutputView view;
  view.row_stride = plan.cols.lines;
  view.data = partials + product * plan.rows.lines * plan.cols.lines;
  return view;
}

// One task: a rectangle of C for one batch entry and one chunk of k.
class Task {
 public:
  // `scratch` holds plan.scratch() floats; `partials` the chunks' sums, if there are several.
  Task(const Gemm& gemm, const GemmPlan& plan, std::int64_t index, float* scratch, float* partials)
      : gemm_(gemm),
        plan_(plan),
        kernels_(*plan.kernels),
        packed_rows_(scratch),
        packed_cols_(scratch + plan.rows_scratch),
        block_(plan.block_rows == 0 ? nullptr : packed_cols_ + plan.cols_scratch),
        grid_(plan.grid_rows * plan.grid_cols),
        batch_(index / grid_ / plan.chunks),
        chunk_(index / grid_ % plan.chunks),
        output_(plan.chunks == 1
                    ? TileOutput(kernels_, gemm.c, batch_, plan.swapped)
                    : TileOutput(kernels_, partial_view(plan, partials, index / grid_), 0, false)) {
    const std::int64_t cell = index % grid_;
    tiles_ = split(plan.row_tiles, 1, cell / plan.grid_cols, plan.grid_rows);
    cols_ = split(plan.own_cols, kernels_.lanes, cell % plan.grid_cols, plan.grid_cols);
    if (plan.shares && plan.grid_rows > 1) tiles_ = split(plan.row_tiles, 1, cell, *plan.shares);
    if (plan.shares && plan.grid_cols > 1)
      cols_ = split(plan.own_cols, kernels_.lanes, cell, *plan.shares);
    shared_tiles_ = split(tiles_.size(), 1, cell % plan.grid_cols, plan.grid_cols);
    shared_tiles_ = {tiles_.begin + shared_tiles_.begin, tiles_.begin + shared_tiles_.end};
  }

  void run() {
    const Span k{chunk_ * plan_.chunk_k, std::min(plan_.k, (chunk_ + 1) * plan_.chunk_k)};
    for (std::int64_t t = tiles_.begin; t < tiles_.end; t += plan_.row_block) {
      const Span tiles{t, std::min(t + plan_.row_block, tiles_.end)};
      for (k_ = k.begin; k_ < k.end; k_ += plan_.depth) {
        depth_ = std::min(plan_.depth, k.end - k_);
        accumulate_ = k_ > k.begin || (plan_.chunks == 1 && gemm_.accumulate);
        last_ = k_ + depth_ == k.end;
        if (plan_.rows.packed) pack_rows(tiles);
        run_columns(tiles, tiles, cols_);
        run_columns(tiles, common(tiles, shared_tiles_), {plan_.own_cols, plan_.cols.lines});
      }
    }
  }

 private:
  std::int64_t panel_width() const { return kernels_.vectors * kernels_.lanes; }

  // `part` of the packed `tiles`.
  void run_columns(const Span& tiles, const Span& part, const Span& columns) {
    if (part.size() <= 0 || columns.size() <= 0) return;
    const std::int64_t blocks = ceil_div(columns.size(), plan_.col_block);
    const std::int64_t step = round_up(ceil_div(columns.size(), blocks), panel_width());
    for (std::int64_t c = columns.begin; c < columns.end; c += step) {
      const Span cols{c, std::min(c + step, columns.end)};
      pack_cols(cols);
      run_block(tiles, part, cols);
    }
  }

  // Read in place, the columns still need a packed last panel where whole vectors would read past
  // the matrix.
  void pack_cols(const Span& cols) {
    const std::int64_t edge = cols.size() % kernels_.lanes == 0 ? 0 : cols.size() % panel_width();
    const std::int64_t count = plan_.cols.packed ? cols.size() : edge;
    const std::int64_t skipped = cols.size() - count;
    pack_lines(kernels_, plan_.cols, batch_, cols.begin + skipped, count, panel_width(), true, k_,
               depth_, packed_cols_ + skipped * depth_);
  }

  void pack_rows(const Span& tiles) {
    const Span rows{plan_.tile_start(tiles.begin), plan_.tile_start(tiles.end)};
    pack_lines(kernels_, plan_.rows, batch_, rows.begin, rows.size(), plan_.tile_rows, false, k_,
               depth_, packed_rows_);
  }

  const float* tile_rows(const Span& tiles, const Span& rows, std::int64_t* stride) const {
    const GemmSide& side = plan_.rows;
    if (side.packed) {
      *stride = rows.size();
      return packed_rows_ + (rows.begin - plan_.tile_start(tiles.begin)) * depth_;
    }
    *stride = side.layout == RowsLayout::contiguous ? side.line_stride : side.k_stride;
    return side.data + batch_ * side.batch_stride + rows.begin * side.line_stride +
           k_ * side.k_stride;
  }

  void run_block(const Span& tiles, const Span& part, const Span& cols) {
    std::int64_t done = plan_.tile_start(part.begin);
    for (std::int64_t t = part.begin; t < part.end; ++t) {
      const Span rows{plan_.tile_start(t), plan_.tile_start(t + 1)};
      if (block_ != nullptr) output_.move(block_, done, cols.begin);
      std::int64_t a_stride = 0;
      const float* a = tile_rows(tiles, rows, &a_stride);
      // Many rows in short pieces are more than the processor foresees.
      const bool fetch = t + 1 < part.end && !plan_.rows.packed;
      run_tiles(rows, cols, a, a_stride,
                fetch ? a + rows.size() * plan_.rows.line_stride : nullptr);
      const std::int64_t height = rows.end - done;
      // The scratch may fill first, with a last block of few columns.
      const bool full = block_ != nullptr && height + plan_.tile_rows > plan_.block_rows;
      const bool enough = full || height * cols.size() >= kEpilogueElements;
      if (last_ && (enough || t + 1 == part.end)) {
        finish({done, rows.end}, cols);
        done = rows.end;
      }
    }
  }

  void run_tiles(const Span& rows, const Span& cols, const float* a, std::int64_t a_stride,
                 const float* next) {
    const auto& kernels = kernels_.tile[static_cast<int>(plan_.rows.layout)][rows.size() - 1];
    const GemmSide& side = plan_.cols;
    const float* direct = side.data + batch_ * side.batch_stride + k_ * side.k_stride;
    for (std::int64_t c = cols.begin; c < cols.end; c += panel_width()) {
      const std::int64_t count = std::min(panel_width(), cols.end - c);
      const std::int64_t width = round_up(count, kernels_.lanes);
      const bool packed = side.packed || count != width;
      const float* b = packed ? packed_cols_ + (c - cols.begin) * depth_ : direct + c;
      const std::int64_t b_stride = packed ? width : side.k_stride;
      const TileKernel kernel = kernels[width / kernels_.lanes - 1];
      if (float* to = output_.address(rows.begin, c, count)) {
        kernel(depth_, a, a_stride, b, b_stride, to, output_.row_stride(), count, accumulate_,
               next);
        next = nullptr;
        continue;
      }
      alignas(64) float tile[kMaxTileFloats];
      kernel(depth_, a, a_stride, b, b_stride, tile, width, count, false, next);
      next = nullptr;
      output_.store(rows.begin, rows.size(), c, count, tile, width, accumulate_);
    }
  }

  void finish(const Span& rows, const Span& cols) const {
    if (gemm_.epilogue == nullptr || plan_.chunks > 1) return;
    const Span& m = plan_.swapped ? cols : rows;
    const Span& n = plan_.swapped ? rows : cols;
    gemm_.epilogue->run(batch_, m.begin, m.end, n.begin, n.end, block_);
  }

  const Gemm& gemm_;
  const GemmPlan& plan_;
  const GemmKernels& kernels_;
  float* packed_rows_;
  float* packed_cols_;
  float* block_;  // of C, where it does not go to memory
  std::int64_t grid_;
  std::int64_t batch_;
  std::int64_t chunk_;
  TileOutput output_;
  Span tiles_{};
  Span cols_{};
  Span shared_tiles_{};     // of the columns from plan.own_cols on
  std::int64_t k_ = 0;      // first k of the current pass
  std::int64_t depth_ = 0;  // and how many
  bool accumulate_ = false;
  bool last_ = false;
};

// Adds the chunks of one batch entry in order, for one row of tiles, and hands them to C and the
// epilogue.
void add_chunks(const Gemm& gemm, const GemmPlan& plan, std::int64_t batch, std::int64_t tile,
                float* partials) {
  const GemmKernels& kernels = *plan.kernels;
  const Span rows{plan.tile_start(tile), plan.tile_start(tile + 1)};
  const std::int64_t cols = plan.cols.lines;
  const std::int64_t size = plan.rows.lines * cols;
  float* sum = partials + batch * plan.chunks * size + rows.begin * cols;
  for (std::int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
    const float* more = sum + chunk * size;
    for (std::int64_t i = 0; i < rows.size() * cols; ++i) sum[i] += more[i];
  }
  const TileOutput output(kernels, gemm.c, batch, plan.swapped);
  const std::int64_t panel = kernels.vectors * kernels.lanes;
  for (std::int64_t c = 0; c < cols; c += panel) {
    output.store(rows.begin, rows.size(), c, std::min(panel, cols - c), sum + c, cols,
                 gemm.accumulate);
  }
  if (gemm.epilogue == nullptr) return;
  if (plan.swapped) {
    gemm.epilogue->run(batch, 0, cols, rows.begin, rows.end, nullptr);
  } else {
    gemm.epilogue->run(batch, rows.begin, rows.end, 0, cols, nullptr);
  }
}

}  // namespace

void gemm_own(const Gemm& gemm) {
  const GemmPlan plan = plan_gemm(gemm, gemm_kernels(), thread_count());
  const std::int64_t share = whole_pages(plan.scratch());
  const std::int64_t partial_floats =
      plan.chunks == 1 ? 0 : gemm.batch * plan.chunks * gemm.m * gemm.n;
  float* scratch = thread_scratch(plan.parts * share + partial_floats);
  float* partials = scratch + plan.parts * share;
  const auto run = [&](std::int64_t part, std::int64_t first, std::int64_t last) {
    for (; first < last; ++first) Task(gemm, plan, first, scratch + part * share, partials).run();
  };
  if (plan.shares) {
    // Columns that are left over and shared by rows make the parts equal.
    const std::int64_t units = plan.grid_rows > 1 ? plan.row_tiles
                               : plan.own_cols < plan.cols.lines
                                   ? plan.parts
                                   : ceil_div(plan.cols.lines, plan.kernels->lanes);
    parallel_parts(*plan.shares, units, [&](std::int64_t part, std::int64_t, std::int64_t) {
      run(part, part, part + 1);
    });
  } else {
    parallel_parts(Shares(plan.parts), plan.tasks, run);
  }
  if (plan.chunks == 1) return;
  parallel_for(gemm.batch * plan.row_tiles, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      add_chunks(gemm, plan, i / plan.row_tiles, i % plan.row_tiles, partials);
    }
  });
}

}  // namespace genera::cpu
