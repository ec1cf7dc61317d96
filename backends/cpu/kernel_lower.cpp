// From Kernel to typed values: opcode and lane type become one TileOp.
#include <genera/error.h>

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "backends/cpu/kernel_program.h"

namespace genera::cpu {
namespace {

using Kind = Value::Kind;

std::uint32_t constant_bits(double value, LaneType type) {
  if (type == LaneType::f32) return std::bit_cast<std::uint32_t>(static_cast<float>(value));
  if (std::isnan(value)) return 0;
  // Through i64, so that -1 and 2^32 - 1 give the same bits.
  if (value >= 9.2e18 || value <= -9.2e18) return value > 0 ? 0x7fffffffu : 0x80000000u;
  return static_cast<std::uint32_t>(static_cast<std::int64_t>(value));
}

TileOp by_type(LaneType type, TileOp f32, TileOp i32, TileOp u32) {
  return type == LaneType::f32 ? f32 : type == LaneType::i32 ? i32 : u32;
}

/// copy where the cast changes no bit.
TileOp cast_op(LaneType from, bool from_boolean, const KernelInstr& to) {
  const bool from_float = from == LaneType::f32;
  if (to.boolean && to.type != LaneType::f32) {
    if (from_boolean) return TileOp::copy;
    return from_float ? TileOp::f32_to_bool : TileOp::i32_to_bool;
  }
  if (from_float) return by_type(to.type, TileOp::copy, TileOp::f32_to_i32, TileOp::f32_to_u32);
  if (to.type != LaneType::f32) return TileOp::copy;
  return from == LaneType::i32 ? TileOp::i32_to_f32 : TileOp::u32_to_f32;
}

int operand_count(KernelOp op) {
  switch (op) {
#define GENERA_UNARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
    case KernelOp::Cast:
    case KernelOp::ReduceSum:
    case KernelOp::ReduceMax:
      return 1;
#define GENERA_BINARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
      return 2;
#define GENERA_TERNARY(Name, ...) case KernelOp::Name:
#include "engine/graph/primitives.def"
      return 3;
    default:
      return 0;
  }
}

void check_instruction(const Kernel& kernel, int index) {
  const KernelInstr& instr = kernel.code[static_cast<std::size_t>(index)];
  const int operands = operand_count(instr.op);
  const std::int16_t used[3] = {instr.a, instr.b, instr.c};
  for (int i = 0; i < operands; ++i)
    if (used[i] < 0 || used[i] >= index)
      throw ArgumentError(
          fmt::format("[kernel] operand {} of instruction {} must name an earlier one, got {}", i,
                      index, used[i]));
  if (instr.op == KernelOp::Load &&
      (instr.imm < 0 || static_cast<std::size_t>(instr.imm) >= kernel.buffers.size()))
    throw ArgumentError(fmt::format("[kernel] instruction {} loads buffer {} of {}", index,
                                    instr.imm, kernel.buffers.size()));
}

class Lowering {
 public:
  explicit Lowering(const Kernel& kernel) : kernel_(kernel) {}

  Lowered run() {
    for (std::size_t i = 0; i < kernel_.code.size(); ++i) {
      check_instruction(kernel_, static_cast<int>(i));
      names_.push_back(translate(kernel_.code[i]));
    }
    for (const KernelStore& store : kernel_.stores) {
      if (store.value < 0 || static_cast<std::size_t>(store.value) >= kernel_.code.size() ||
          store.buffer < 0 || static_cast<std::size_t>(store.buffer) >= kernel_.buffers.size())
        throw ArgumentError(fmt::format("[kernel] store of value {} to buffer {} is out of range",
                                        store.value, store.buffer));
      const auto v = static_cast<std::size_t>(store.value);
      result_.outputs.push_back({names_[v], store.buffer, kernel_.code[v].kept, store.view});
    }
    return std::move(result_);
  }

 private:
  std::int16_t add(const Value& value) {
    result_.values.push_back(value);
    return static_cast<std::int16_t>(result_.values.size() - 1);
  }
  std::int16_t name(std::int16_t operand) const {
    return names_[static_cast<std::size_t>(operand)];
  }
  const Value& value(std::int16_t operand) const {
    return result_.values[static_cast<std::size_t>(name(operand))];
  }

  std::int16_t translate(const KernelInstr& instr) {
    Value v;
    v.type = instr.type;
    v.boolean = instr.boolean;
    v.imm = instr.imm;
    v.view = instr.view;
    switch (instr.op) {
      case KernelOp::Load:
        v.kind = Kind::load;
        return add(v);
      case KernelOp::Iota:
        v.kind = Kind::iota;
        return add(v);
      case KernelOp::Scalar:
        v.kind = Kind::scalar;
        return add(v);
      case KernelOp::Const:
        v.kind = Kind::constant;
        v.bits = constant_bits(instr.constant, instr.type);
        return add(v);
      case KernelOp::RandomBits:
      case KernelOp::RandomUniform:
        v.kind = Kind::random;
        v.uniform_random = instr.op == KernelOp::RandomUniform;
        return add(v);
      case KernelOp::ReduceSum:
      case KernelOp::ReduceMax:
        v.kind = Kind::reduce;
        v.max = instr.op == KernelOp::ReduceMax;
        v.a = name(instr.a);
        return add(v);
      default:
        return translate_elementwise(instr, v);
    }
  }

  std::int16_t translate_elementwise(const KernelInstr& instr, Value& v) {
    v.kind = Kind::map;
    const int operands = operand_count(instr.op);
    const Value& first = value(instr.op == KernelOp::Select ? instr.b : instr.a);
    if (instr.op == KernelOp::Cast) {
      v.op = cast_op(first.type, first.boolean, instr);
      // i32 to u32 and back keep the bits but not the type, so they stay as copies; others vanish.
      if (v.op == TileOp::copy && first.type == instr.type) return name(instr.a);
    } else {
      v.op = tile_op(instr.op, first.type);
    }
    v.a = name(instr.a);
    if (operands > 1) v.b = name(instr.b);
    if (operands > 2) v.c = name(instr.c);
    return add(v);
  }

  const Kernel& kernel_;
  Lowered result_;
  std::vector<std::int16_t> names_;  // instruction -> value
};

}  // namespace

Lowered lower(const Kernel& kernel) { return Lowering(kernel).run(); }

}  // namespace genera::cpu
