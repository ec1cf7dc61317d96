#include "backends/cpu/gemm_plan.h"

#include <algorithm>

#include "backends/cpu/rounding.h"

namespace genera::cpu {
namespace {

// Longest pass over k: the rows of one tile (14 x 1024 floats) then still stream through L1 and the
// columns' panel through L2, and C is read and written once per 1024 multiply-adds.
constexpr std::int64_t kMaxDepth = 1024;
// Floats of packed columns that stay in L2 while all row tiles pass over them.
constexpr std::int64_t kColsBudget = 256 * 1024;
constexpr std::int64_t kMaxColBlock = 1024;
// Floats of packed rows kept for all column blocks.
constexpr std::int64_t kRowsBudget = 2 * 1024 * 1024;
// Below so many multiply-adds a second thread costs more than it gives.
constexpr std::int64_t kSerialWork = 192 * 1024;
// What it costs, in multiply-adds, that two tasks write parts of one row of C: the line at the
// border, and what is fetched ahead of the other's part.
constexpr double kBorderCost = 60;
// The same with an epilogue, whose kernel has two short rows there instead of one.
constexpr double kEpilogueBorderCost = 300;
// Most floats that a block of C in scratch memory spans: its rows lie as far apart as C's.
constexpr std::int64_t kBlockBudget = 1024 * 1024;
// With few row tiles, reading the columns where they lie beats packing them.
constexpr std::int64_t kDirectTiles = 20;

// Cost of fetching or packing one element, in units of one vector multiply-add.
double packing_cost(const GemmSide& side) {
  if (!side.packed) return 0.1;
  if (side.packer != nullptr) return 1.0;
  if (side.line_stride == 1) return 0.3;
  return side.k_stride == 1 ? 0.5 : 2.0;
}

GemmSide make_side(const GemmOperand& operand, std::int64_t lines, std::int64_t k, bool is_a) {
  GemmSide side;
  side.lines = lines;
  side.packer = operand.packer;
  side.data = operand.matrix.data;
  side.batch_stride = operand.matrix.batch_stride;
  side.line_stride = is_a ? operand.matrix.row_stride : operand.matrix.col_stride;
  side.k_stride = is_a ? operand.matrix.col_stride : operand.matrix.row_stride;
  // The stride of an axis of length 1 says nothing: choose the one that reads best.
  if (k == 1 && side.line_stride != 1) side.k_stride = 1;
  if (lines == 1 && side.k_stride != 1) side.line_stride = 1;
  return side;
}

// Whether the sides are read where they lie, given which is which.
void choose_access(GemmPlan& plan) {
  const std::int64_t lanes = plan.kernels->lanes;
  GemmSide& rows = plan.rows;
  GemmSide& cols = plan.cols;
  const bool contiguous = rows.packer == nullptr && rows.k_stride == 1;
  rows.layout = contiguous ? RowsLayout::contiguous : RowsLayout::interleaved;
  // Columns of A in place cost a cache line per k: fine while the tile's lines stay in L1, or are
  // hardly used again.
  const std::int64_t panels = ceil_div(cols.lines, plan.kernels->vectors * lanes);
  const bool in_place =
      contiguous || (rows.line_stride == 1 && (panels <= 2 || (panels <= 16 && plan.k <= 256)));
  rows.packed = rows.packer != nullptr || !in_place;
  const std::int64_t tiles = ceil_div(rows.lines, plan.kernels->rows);
  cols.packed =
      cols.packer != nullptr || cols.line_stride != 1 || tiles > kDirectTiles || cols.lines < lanes;
}

// How the columns go to `grid_cols` tasks of `tiles` row tiles each: as evenly as whole vectors
// allow, or in whole panels with the rest shared out by rows.
struct ColumnShares {
  std::int64_t own_cols;  // columns that are not shared
  double vectors;         // per k and row, of the largest share
};

ColumnShares share_columns(const GemmPlan& plan, std::int64_t grid_cols, std::int64_t tiles) {
  const std::int64_t lanes = plan.kernels->lanes, lines = plan.cols.lines;
  const ColumnShares even{lines, double(ceil_div(ceil_div(lines, lanes), grid_cols))};
  const std::int64_t panels = lines / (plan.kernels->vectors * lanes) / grid_cols;
  const std::int64_t own = panels * plan.kernels->vectors * lanes * grid_cols;
  if (panels == 0 || own == lines || tiles < grid_cols) return even;
  const double rest = double(ceil_div(tiles, grid_cols)) / double(tiles);
  const ColumnShares shared{
      own, double(panels * plan.kernels->vectors) + rest * double(ceil_div(lines - own, lanes))};
  return shared.vectors < even.vectors ? shared : even;
}

// Vector multiply-adds per k of one thread's share, packing included.
double share_cost(const GemmPlan& plan, std::int64_t grid_rows, std::int64_t grid_cols) {
  const GemmKernels& kernels = *plan.kernels;
  const std::int64_t tiles = ceil_div(ceil_div(plan.rows.lines, kernels.rows), grid_rows);
  const double rows =
      std::min<double>(double(plan.rows.lines), double(tiles) * double(kernels.rows));
  const double vectors = share_columns(plan, grid_cols, tiles).vectors;
  double borders = 0;
  if (!plan.swapped && grid_cols > 1) borders = rows;
  if (plan.swapped && grid_rows > 1) borders = vectors * kernels.lanes;
  return rows * vectors + rows * packing_cost(plan.rows) +
         vectors * kernels.lanes * packing_cost(plan.cols) +
         borders * plan.border_cost / double(plan.k);
}

// One thread's whole cost when the sides change places: padding of the last vector, packing,
// transposed stores.
double orientation_cost(GemmPlan& plan) {
  choose_access(plan);
  const double stores = plan.swapped ? 1.0 / double(std::min(plan.k, kMaxDepth)) : 0.0;
  return share_cost(plan, 1, 1) + double(plan.rows.lines) * double(plan.cols.lines) * stores;
}

void choose_orientation(GemmPlan& plan) {
  const double straight = orientation_cost(plan);
  std::swap(plan.rows, plan.cols);
  plan.swapped = true;
  if (orientation_cost(plan) < 0.95 * straight) return;
  std::swap(plan.rows, plan.cols);
  plan.swapped = false;
  choose_access(plan);
}

void choose_chunks(GemmPlan& plan, std::int64_t batch) {
  constexpr std::int64_t kMaxChunks = 16;
  constexpr std::int64_t kChunk = 2048;
  plan.chunk_k = plan.k;
  const std::int64_t elements = plan.rows.lines * plan.cols.lines;
  if (elements <= 128 * 128 && batch * elements <= 256 * 256 && plan.k >= 2 * kChunk) {
    plan.chunks = std::min(kMaxChunks, plan.k / kChunk);
    plan.chunk_k = round_up(ceil_div(plan.k, plan.chunks), 16);
    plan.chunks = ceil_div(plan.k, plan.chunk_k);
  }
  const std::int64_t passes = ceil_div(plan.chunk_k, kMaxDepth);
  plan.depth = passes == 1 ? plan.chunk_k : round_up(ceil_div(plan.chunk_k, passes), 8);
}

void choose_grid(GemmPlan& plan, std::int64_t products, int threads) {
  const std::int64_t work = plan.rows.lines * plan.cols.lines * plan.k;
  plan.tasks = products;
  if (threads == 1 || products * work < kSerialWork) return;
  plan.parts = threads;
  if (products % threads != 0 && products < 8 * threads) {
    const std::int64_t tiles = ceil_div(plan.rows.lines, plan.kernels->rows);
    const std::int64_t vectors = ceil_div(plan.cols.lines, plan.kernels->lanes);
    double best = share_cost(plan, 1, 1) * double(ceil_div(products, threads));
    for (std::int64_t r = 1; r <= std::min<std::int64_t>(threads, tiles); ++r) {
      const std::int64_t c = std::min(threads / r, vectors);
      const double cost = share_cost(plan, r, c) * double(ceil_div(products * r * c, threads));
      if (cost >= best) continue;
      best = cost;
      plan.grid_rows = r;
      plan.grid_cols = c;
    }
    plan.tasks = products * plan.grid_rows * plan.grid_cols;
  }
  plan.parts = std::min(plan.parts, plan.tasks);
  if (products == 1 && plan.tasks == plan.parts && plan.parts > 1 &&
      (plan.grid_rows == 1 || plan.grid_cols == 1))
    plan.shares.emplace(plan.parts);
}

// Blocks of C need no memory of their own where each is finished at once: C neither is added to nor
// adds up from passes or chunks. One view of C must fit them all: no batch, groups or transposed
// stores.
void choose_scratch_block(GemmPlan& plan, const Gemm& gemm) {
  const bool at_once = !gemm.accumulate && plan.chunks == 1 && plan.depth == plan.k;
  if (!at_once || gemm.batch > 1 || gemm.c.group != 0 || plan.swapped) return;
  const std::int64_t width = std::min(plan.col_block, plan.cols.lines);
  const std::int64_t rows = ceil_div(kEpilogueElements, width) + plan.tile_rows;
  if (rows * gemm.c.row_stride > kBlockBudget) return;
  plan.block_rows = rows;
  plan.block_scratch = rows * gemm.c.row_stride;
}

}  // namespace

GemmPlan plan_gemm(const Gemm& gemm, const GemmKernels& kernels, int threads) {
  GemmPlan plan;
  plan.kernels = &kernels;
  plan.k = gemm.k;
  plan.border_cost = gemm.epilogue == nullptr ? kBorderCost : kEpilogueBorderCost;
  plan.rows = make_side(gemm.a, gemm.m, gemm.k, true);
  plan.cols = make_side(gemm.b, gemm.n, gemm.k, false);
  choose_orientation(plan);
  choose_chunks(plan, gemm.batch);
  choose_grid(plan, gemm.batch * plan.chunks, threads);

  plan.tile_rows = ceil_div(plan.rows.lines, ceil_div(plan.rows.lines, kernels.rows));
  plan.row_tiles = ceil_div(plan.rows.lines, plan.tile_rows);
  // Blocks as they could be if one thread had all of it: shares change, scratch memory does not.
  const std::int64_t tile_floats = kernels.rows * plan.depth;
  plan.row_block = plan.rows.packed
                       ? std::clamp<std::int64_t>(kRowsBudget / tile_floats, 1, plan.row_tiles)
                       : plan.row_tiles;
  const std::int64_t lanes = kernels.lanes;
  const std::int64_t panel = kernels.vectors * lanes;
  const bool equal = !plan.shares || plan.shares->equal();
  plan.own_cols =
      equal ? share_columns(plan, plan.grid_cols, ceil_div(plan.row_tiles, plan.grid_rows)).own_cols
            : plan.cols.lines;
  plan.col_block =
      std::min(round_up(plan.cols.lines, panel),
               std::clamp(kColsBudget / plan.depth / panel * panel, panel, kMaxColBlock));
  // Packing copies whole vectors, up to one past the panel's end.
  plan.rows_scratch = plan.rows.packed ? plan.row_block * tile_floats + lanes : 0;
  plan.cols_scratch = plan.col_block * plan.depth + lanes;
  if (gemm.scratch_c) choose_scratch_block(plan, gemm);
  return plan;
}

}  // namespace genera::cpu
