/// The tables of tile kernels: each tile_*.cpp fills its rows for the current target.
#pragma once

#include "backends/cpu/tile_kernels.h"

#include <array>

namespace genera::cpu {

/// Kernels by opcode and by which operands are single values.
struct TileTable {
  std::array<std::array<TileFn, 8>, tile_op_count> functions{};
  TileFn& at(TileOp op, unsigned single) { return functions[static_cast<std::size_t>(op)][single]; }
};

void fill_arithmetic_table(TileTable& table);
void fill_integer_table(TileTable& table);
void fill_math_table(TileTable& table);

/// By lane type (f32, i32, u32), then sum and max.
struct ReduceTable {
  std::array<std::array<ReduceKernels, 2>, 3> kernels{};
};
void fill_reduce_table(ReduceTable& table);

struct ConvertTable {
  std::array<ConvertKernels, dtype_count> kernels{};
  std::array<RandomFn, 2> random{};
};
void fill_convert_table(ConvertTable& table);

}  // namespace genera::cpu
