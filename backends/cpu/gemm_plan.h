/// How the own core runs one product: which operand becomes the tile's rows, what is packed, how it
/// is blocked and split over threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "backends/cpu/gemm.h"
#include "backends/cpu/gemm_kernels.h"
#include "engine/core/thread_pool.h"

namespace genera::cpu {

/// One operand as lines along k: rows of A or columns of B.
struct GemmSide {
  const float* data = nullptr;
  std::int64_t lines = 0;
  std::int64_t line_stride = 0;
  std::int64_t k_stride = 0;
  std::int64_t batch_stride = 0;
  const PanelPacker* packer = nullptr;
  bool packed = false;                          ///< read through packed panels, else where it lies
  RowsLayout layout = RowsLayout::interleaved;  ///< of the rows side
};

/// A block's epilogue waits until it has about this many elements: few calls, still in L2.
inline constexpr std::int64_t kEpilogueElements = 32 * 1024;

/// The blocking of one product. Only `depth` and `chunks` touch the bits of the result, and they
/// depend on the shape alone.
struct GemmPlan {
  const GemmKernels* kernels = nullptr;
  bool swapped = false;  ///< the tile's rows are C's columns
  GemmSide rows;
  GemmSide cols;
  std::int64_t k = 0;
  std::int64_t depth = 0;        ///< k of one pass over a tile
  std::int64_t chunks = 1;       ///< separate sums over k, added in order at the end
  std::int64_t chunk_k = 0;      ///< k of one chunk, the last one's may be less
  std::int64_t tile_rows = 0;    ///< height of a tile, the last one's may be less
  std::int64_t row_tiles = 0;    ///< tiles along the rows
  std::int64_t row_block = 0;    ///< most tiles packed together
  std::int64_t col_block = 0;    ///< most columns packed together, whole panels
  std::int64_t grid_rows = 1;    ///< tasks along the rows
  std::int64_t grid_cols = 1;    ///< tasks along the columns
  std::optional<Shares> shares;  ///< of one product's rows or columns, one part a task
  double border_cost = 0;        ///< of a row of C that two tasks write, in multiply-adds
  std::int64_t own_cols = 0;  ///< columns of all tasks but the last ones, which they share by rows
  std::int64_t tasks = 1;     ///< batch * chunks * grid_rows * grid_cols
  std::int64_t parts = 1;     ///< threads that share the tasks
  std::int64_t rows_scratch = 0;   ///< floats of packed rows per thread
  std::int64_t cols_scratch = 0;   ///< floats of packed columns per thread
  std::int64_t block_rows = 0;     ///< most rows of a block of C in scratch; 0: C goes to memory
  std::int64_t block_scratch = 0;  ///< floats of that block per thread
  std::int64_t scratch() const { return rows_scratch + cols_scratch + block_scratch; }

  /// First row of a tile.
  std::int64_t tile_start(std::int64_t tile) const {
    return std::min(tile * tile_rows, rows.lines);
  }
};

/// Plans a product with m, n, k, batch > 0 for at most `threads` threads.
GemmPlan plan_gemm(const Gemm& gemm, const GemmKernels& kernels, int threads);

}  // namespace genera::cpu
