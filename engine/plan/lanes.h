/// What of element types and primitives kernels have: how backends and the planner tell.
#pragma once

#include <genera/dtype.h>

#include <algorithm>
#include <optional>
#include <span>

#include "engine/graph/primitive.h"
#include "engine/plan/kernel.h"

namespace genera {

/// The type in which kernels compute with elements of this one.
inline LaneType lane_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::f16:
    case DType::bf16:
      return LaneType::f32;
    case DType::u32:
      return LaneType::u32;
    default:
      return LaneType::i32;
  }
}

/// The instruction that computes a primitive; nothing for those that kernels do not have.
inline std::optional<KernelOp> kernel_op(Op op) {
  switch (op) {
#define GENERA_UNARY(Name, ...) \
  case Op::Name:                \
    return KernelOp::Name;
#define GENERA_BINARY(Name, ...) \
  case Op::Name:                 \
    return KernelOp::Name;
#define GENERA_TERNARY(Name, ...) \
  case Op::Name:                  \
    return KernelOp::Name;
#include "engine/graph/primitives.def"
    case Op::Cast:
      return KernelOp::Cast;
    case Op::ReduceSum:
      return KernelOp::ReduceSum;
    case Op::ReduceMax:
      return KernelOp::ReduceMax;
    case Op::Const:
      return KernelOp::Const;
    case Op::Scalar:
      return KernelOp::Scalar;
    case Op::Iota:
      return KernelOp::Iota;
    default:
      return std::nullopt;
  }
}

/// Whether fused kernels can compute `op` with elements of these types, inputs first, then the
/// output: with f32, i32, u32 and bool. f16, bf16 and u8 they load, store and move only: rounding
/// between operations would be lost.
inline bool fits_lanes(Op op, std::span<const DType> types) {
  const auto computes = [](DType t) {
    return t == DType::f32 || t == DType::i32 || t == DType::u32 || t == DType::boolean;
  };
  const auto stores = [](DType t) { return t == DType::f16 || t == DType::bf16 || t == DType::u8; };
  if (op == Op::Cast) return computes(types.back()) && (computes(types[0]) || stores(types[0]));
  const bool moves =
      info(op).op_class == OpClass::Movement || op == Op::SliceUpdate || op == Op::Barrier;
  return std::all_of(types.begin(), types.end(),
                     [&](DType t) { return computes(t) || (moves && stores(t)); });
}

}  // namespace genera
