/// Runs a compiled program over its loop space.
#pragma once

#include "backends/cpu/kernel_executor.h"
#include "backends/cpu/kernel_geometry.h"
#include "backends/cpu/kernel_program.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace genera::cpu {

/// What all threads of a run share.
struct Run {
  const Program& program;
  const Geometry& geometry;
  const IndexMap* maps;
  std::span<void* const> buffers;
  std::span<const ScalarValue> scalars;
  std::uint64_t direct = 0;  ///< bit i: sink i of the last pass may be written directly
  std::array<std::uint32_t, Program::max_values> uniform;

  Run(const Program& p, const Geometry& g, const IndexMap* m, std::span<void* const> b,
      std::span<const ScalarValue> s);
  void* address(std::int32_t buffer, std::int64_t element, std::size_t element_size) const {
    return static_cast<char*>(buffers[static_cast<std::size_t>(buffer)]) +
           element * static_cast<std::int64_t>(element_size);
  }
};

/// Results of chunks, combined like a binary counter: the tree depends on the number of chunks
/// alone.
struct Cascade {
  std::uint32_t* levels;
  std::size_t pitch, width;
  std::uint64_t count;

  /// `x` holds `width` results of the next chunk and is overwritten.
  void push(const ReduceKernels& kernels, std::uint32_t* x);
  void finish(const Reduction& reduction, std::uint32_t* out);
};

/// One thread's view of a run.
class Worker {
 public:
  /// `memory`: geometry.words() words of this thread.
  Worker(const Run& run, std::uint32_t* memory);

  /// All passes and stages for kept indices [begin, end).
  void run_kept(std::int64_t begin, std::int64_t end);

  /// Kept values of one block: stage 0 begins it.
  void start_block(std::int64_t begin, std::int64_t count);
  void run_stage(int number);
  void store_kept();

  /// Takes the kept values of another worker's block (read only).
  void share_block(const Worker& other);
  /// Row form, one row per tile: chunks [first, last) of row `k` (of `length` elements without
  /// reductions). Results go to results[reduction][0].
  void run_row_chunks(int pass, std::int64_t k, std::int64_t first, std::int64_t last,
                      std::uint32_t* const* results);
  /// Column form: chunks [first, last) of the block's columns; results go to
  /// results[reduction][column].
  void run_column_chunks(int pass, std::int64_t first, std::int64_t last,
                         std::uint32_t* const* results);
  std::uint32_t* kept_result(const Reduction& reduction) const {
    return kept_ + static_cast<std::size_t>(
                       run_.program.kept_slot[static_cast<std::size_t>(reduction.result)]) *
                       run_.geometry.kept_pitch;
  }

 private:
  void bind(const Pass& pass);
  void bind_row(const Pass& pass, std::int64_t k);
  void spread(const Pass& pass, std::int64_t k, std::size_t rows, std::size_t length);
  void execute_block(const Pass& pass, std::int64_t k, std::int64_t r, std::size_t rows,
                     std::size_t length);
  /// `local`: where the tile lies among the block's full elements.
  void execute(const Pass& pass, std::int64_t flat, std::int64_t local, std::size_t n);
  void store(const Sink& sink, std::int64_t flat, std::size_t n, const void* from) const;
  const void* load(const Source& source, std::int64_t flat, std::size_t n, void* tile) const;
  void run_rows(int pass, std::int64_t begin, std::int64_t end);
  void run_packed_rows(int pass, std::int64_t begin, std::int64_t end);
  void run_blocked_rows(int pass, std::int64_t begin, std::int64_t end);
  const void* load_block(const Source& source, std::int64_t flat, std::size_t rows,
                         std::size_t length, void* tile) const;
  void* tile_at(int number) const {
    return tiles_ + static_cast<std::size_t>(number) * run_.geometry.tile_pitch;
  }

  const Run& run_;
  std::uint32_t *kept_, *tiles_, *passing_, *raw_, *stash_, *reduce_;
  std::int64_t block_begin_ = 0, block_count_ = 0;
  std::array<std::size_t, Kernel::max_instructions>
      repeated_;  ///< per source: elements in its tile
  std::array<const void*, Kernel::max_instructions> repeated_at_{};  ///< per source: that tile
  std::array<void*, Program::max_values> value_;                     // of the pass that is bound
  std::array<const void*, Program::max_values> kept_value_;
};

}  // namespace genera::cpu
