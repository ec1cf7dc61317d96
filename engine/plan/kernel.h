/// A fused loop nest: the one description of fused elementwise work and reductions that every backend executes. The
/// CPU interprets it over tiles in L1, Vulkan prints it as GLSL.
#pragma once

#include <genera/dtype.h>
#include <genera/shape.h>

#include "engine/graph/primitive.h"

#include <array>
#include <cstdint>
#include <vector>

namespace genera {

/// Arithmetic type of an instruction's value. Storage types are converted when loaded and stored: f16, bf16 to f32; u8 to
/// i32 (stored modulo 256); bool is a value of type i32 that is 0 or 1.
enum class LaneType : std::uint8_t { f32, i32, u32 };

/// Opcodes: the elementwise primitives under their own names, and what only kernels have.
enum class KernelOp : std::uint8_t {
#define GENERA_UNARY(Name, ...) Name,
#define GENERA_BINARY(Name, ...) Name,
#define GENERA_TERNARY(Name, ...) Name,
#include "engine/graph/primitives.def"
  Cast,  ///< converts a from its lane type to this one's; floating to integer truncates, to bool is (a != 0)
  Load,        ///< element of buffer `imm`, an input
  Const,       ///< the literal `constant`
  Scalar,      ///< the run-time scalar number `imm` (a 0-d slot)
  Iota,        ///< the index along loop dimension `imm` times step plus start, held in `view`
  RandomBits,  ///< Philox bits (u32) of the element whose index `view` gives; key is run-time scalar `imm` (64 bits)
  RandomUniform,  ///< the same as uniform f32 in [0,1)
  ReduceSum,  ///< full value a -> kept value: sum over the reduced dimensions, in an order fixed by the extents
  ReduceMax,  ///< full value a -> kept value: maximum, NaN if any is NaN
};

/// An affine map from loop indices to an element: offset + sum over dimensions d of stride[d] * i_d.
struct AffineView {
  std::int64_t offset = 0;
  std::array<std::int64_t, Shape::max_rank> stride{};
};

/// The view of all elements of a tensor of `shape` that lies row-major.
inline AffineView row_major(const Shape& shape) {
  AffineView view;
  std::int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    view.stride[static_cast<std::size_t>(d)] = stride;
    stride *= shape[d];
  }
  return view;
}

/// One instruction; its value is named by its position in Kernel::code (SSA). Operands name earlier instructions.
struct KernelInstr {
  KernelOp op{};
  /// of the value; Less and Equal give i32 (0 or 1), their operands have one common type
  LaneType type = LaneType::f32;
  /// true: one value per kept index (reduced dimensions left out); false: one per loop index
  bool kept = false;
  bool boolean = false;  ///< an i32 value known to be 0 or 1
  std::int16_t a = -1, b = -1, c = -1;
  std::int32_t imm = 0;
  double constant = 0;
  AffineView view;  ///< Load, Iota, Random*
};

/// A value written to a buffer.
struct KernelStore {
  std::int16_t value = -1;  ///< instruction
  std::int32_t buffer = -1;
  AffineView view;  ///< a kept value's view has stride 0 along reduced dimensions
};

/// Loops over `extents`; where reduced[d] is true the dimension is summed or maximised over by the Reduce* instructions.
/// Operands of full instructions may be kept values (broadcast along the reduced dimensions). A full value may be used
/// by full instructions that also use reductions of it: executors make as many passes over the reduced dimensions as
/// the longest chain of reductions, recomputing full values in each pass (same bits).
struct Kernel {
  static constexpr int max_instructions = 64;
  static constexpr int max_buffers = 16;

  int rank = 0;
  std::array<std::int64_t, Shape::max_rank> extents{};
  std::array<bool, Shape::max_rank> reduced{};
  std::vector<DType> buffers;  ///< element type of each buffer; loads and stores name them by index
  std::vector<KernelInstr> code;
  std::vector<KernelStore> stores;
};

}  // namespace genera
