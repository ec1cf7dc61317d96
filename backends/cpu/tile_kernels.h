/// The SIMD kernels that the tile interpreter calls: one per opcode and operand kind, compiled for
/// every target of Highway and chosen at run time. All values are 32 bits wide; a tile is an array
/// of them.
///
/// Every kernel gives the same bits for an element wherever it lies in a tile (the last elements go
/// through the same vector instructions, padded), and no kernel reads or writes beyond the n
/// elements.
#pragma once

#include <genera/dtype.h>

#include "engine/plan/kernel.h"

#include <cstddef>
#include <cstdint>

namespace genera::cpu {

/// What a tile kernel computes. Every elementwise row of the table has one opcode per lane type;
/// those of types that the row does not accept stay without a kernel.
enum class TileOp : std::uint8_t {
#define GENERA_UNARY(Name, ...) Name##_f32, Name##_i32, Name##_u32,
#define GENERA_BINARY(Name, ...) Name##_f32, Name##_i32, Name##_u32,
#define GENERA_TERNARY(Name, ...) Name##_f32, Name##_i32, Name##_u32,
#include "engine/graph/primitives.def"
  // Copies and casts, one operand.
  copy,
  f32_to_i32,
  f32_to_u32,
  f32_to_bool,
  i32_to_f32,
  u32_to_f32,
  i32_to_bool,
  // What peepholes make; each computes exactly what its parts compute.
  sub_f32,  ///< a + (-b)
  sub_i32,
  mul_add,         ///< (a * b) + c, two roundings
  mul_add_square,  ///< (a * b) + (c * c), three roundings
  mul_sub,         ///< (a * b) + (-c), two roundings
  sub_mul,         ///< c + (-(a * b)), two roundings
  min_f32,         ///< -max(-a, -b)
  square,          ///< a * a
  div_root,        ///< a / (sqrt(b) + c)
};
inline constexpr int tile_op_count = static_cast<int>(TileOp::div_root) + 1;

/// The opcode of an elementwise row for operands of lane type `type`.
TileOp tile_op(KernelOp op, LaneType type);

/// out[i] = op(a[i], b[i], c[i]) for i < n. An operand that the kernel was chosen for as a single
/// value is read once. out may be the same array as an operand.
using TileFn = void (*)(void* out, const void* a, const void* b, const void* c, std::size_t n);

/// The kernel of the current target. Bit 0 of `single`: a is one value; bit 1: b; bit 2: c. At
/// least one operand is an array, except for copy (single = 1 fills). Null where there is no such
/// kernel. Throws Error, with what is to be written, if a row of the table has no kernel at all.
TileFn tile_function(TileOp op, unsigned single);

/// Kernels of the reductions of one type and one operation. A lane block is 64 values.
struct ReduceKernels {
  static constexpr std::size_t lanes =
      64;  ///< row form: element r goes to lane r % 64 of its chunk
  static constexpr std::size_t row_chunk = 1024;  ///< row form: elements per chunk
  static constexpr std::size_t column_chunk =
      64;  ///< column form: reduced indices per chunk, index r in group r % 4
  static constexpr std::size_t groups = 4;

  /// out[k] = reduction of tile[k*length, (k+1)*length), length <= row_chunk.
  void (*rows)(void* out, const void* tile, std::size_t count, std::size_t length);
  /// Adds n elements to 64 lanes; the first goes to lane 0.
  void (*accumulate)(void* lanes, const void* tile, std::size_t n);
  /// out[0] = reduction of 64 lanes.
  void (*fold)(void* out, const void* lanes);
  /// groups[(first + j) % 4][k] op= tile[j*width + k] for j < count, k < width; groups are `pitch`
  /// values apart.
  void (*columns)(void* groups, const void* tile, std::size_t first, std::size_t count,
                  std::size_t width, std::size_t pitch);
  /// a[i] = a[i] op b[i]: out, a, b as in TileFn.
  TileFn combine;
  std::uint32_t identity;  ///< bits of the neutral element: -0, 0, or the least value
};

/// `max`: maximum, else sum.
const ReduceKernels& reduce_kernels(LaneType type, bool max);

/// Kernels that convert between storage and lanes, contiguous on both sides.
struct ConvertKernels {
  void (*load)(void* tile, const void* source, std::size_t n);
  void (*store)(void* destination, const void* tile, std::size_t n);
};

/// f32, i32 and u32 are plain copies. Null functions for f64 and i64.
const ConvertKernels& convert_kernels(DType dtype);

/// tile[i] = start + i*step as i32, f32 (rounded) or u32.
using IotaFn = void (*)(void* tile, std::int64_t start, std::int64_t step, std::size_t n);
IotaFn iota_function(LaneType type);

/// tile[i] = Philox word, or uniform, of element first + i*step under the key.
using RandomFn = void (*)(void* tile, std::uint64_t key, std::uint64_t first, std::int64_t step,
                          std::size_t n);
RandomFn random_function(bool uniform);

}  // namespace genera::cpu
