/// A Kernel executed by the simplest loops, one element at a time: what KernelExecutor is held
/// against, bit for bit. Elementwise rows are the table's `reference`; those that the kernels only
/// approximate come from the tile kernels themselves (kernel_math_test.cpp holds those against the
/// reference).
#pragma once

#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "backends/cpu/kernel_executor.h"
#include "backends/cpu/tile_kernels.h"
#include "backends/reference/arithmetic.h"
#include "engine/core/philox.h"
#include "engine/plan/kernel.h"

namespace genera::oracle {

using Word = std::uint32_t;
inline float as_float(Word w) { return std::bit_cast<float>(w); }
inline Word bits(float f) { return std::bit_cast<Word>(f); }
inline std::int32_t as_int(Word w) { return std::bit_cast<std::int32_t>(w); }
inline Word bits(std::int32_t i) { return std::bit_cast<Word>(i); }

using Signed = reference::Wrapping<std::int32_t>;
inline Word bits(bool b) { return b; }
inline Word bits(Word w) { return w; }
inline Word bits(Signed i) { return bits(i.value); }

/// function of the operands as values of their lane type.
template <Accepts accepts, class Function>
Word on_lanes(LaneType type, const Function& function, std::same_as<Word> auto... x) {
  if constexpr (accepts != Accepts::Floating) {
    if (type == LaneType::i32) return bits(function(Signed{as_int(x)}...));
    if (type == LaneType::u32) return bits(function(x...));
  }
  return bits(function(as_float(x)...));
}

/// The tile kernel on one element.
inline Word through_tile(KernelOp op, LaneType type, Word a, Word b = 0, Word c = 0) {
  Word y;
  cpu::tile_function(cpu::tile_op(op, type), 0)(&y, &a, &b, &c, 1);
  return y;
}

/// An elementwise row of the table; `type` is the operands'.
inline Word elementwise(KernelOp op, LaneType type, Word a, Word b, Word c) {
  using namespace reference;
  switch (op) {
#define GENERA_UNARY(Name, function, types, reference, ...)         \
  case KernelOp::Name:                                              \
    if (info(Op::Name).ulp > 0.5) return through_tile(op, type, a); \
    return on_lanes<Accepts::types>(                                \
        type, [](auto x) { return reference; }, a);
#define GENERA_BINARY(Name, function, types, reference, ...)           \
  case KernelOp::Name:                                                 \
    if (info(Op::Name).ulp > 0.5) return through_tile(op, type, a, b); \
    return on_lanes<Accepts::types>(                                   \
        type, [](auto a, auto b) { return reference; }, a, b);
// The first operand of a row that accepts any type is a condition.
#define GENERA_TERNARY(Name, function, types, reference, ...)              \
  case KernelOp::Name:                                                     \
    if (info(Op::Name).ulp > 0.5) return through_tile(op, type, a, b, c);  \
    if constexpr (Accepts::types == Accepts::Any)                          \
      return on_lanes<Accepts::types>(                                     \
          type, [a = a != 0](auto b, auto c) { return reference; }, b, c); \
    else                                                                   \
      return on_lanes<Accepts::types>(                                     \
          type, [](auto a, auto b, auto c) { return reference; }, a, b, c);
#include "engine/graph/primitives.def"
    default:
      return 0;
  }
}

/// One reduction in the documented order.
struct Reduction {
  LaneType type;
  bool max, boolean;

  Word identity() const {
    if (!max) return type == LaneType::f32 ? bits(-0.0f) : 0;
    if (type == LaneType::f32) return bits(-std::numeric_limits<float>::infinity());
    return type == LaneType::i32 ? 0x80000000u : 0;
  }
  Word op(Word a, Word b) const {
    return elementwise(max ? KernelOp::Max : KernelOp::Add, type, a, b, 0);
  }

  /// Chunk results as a balanced tree over a power of two, missing ones neutral.
  Word tree(std::vector<Word> chunks) const {
    while (chunks.size() > 1) {
      if (chunks.size() % 2) chunks.push_back(identity());
      for (std::size_t i = 0; i < chunks.size() / 2; ++i)
        chunks[i] = op(chunks[2 * i], chunks[2 * i + 1]);
      chunks.resize(chunks.size() / 2);
    }
    return chunks[0];
  }
  Word row(const std::vector<Word>& x) const {
    std::vector<Word> chunks;
    for (std::size_t start = 0; start < x.size(); start += 1024) {
      std::vector<Word> lane(64, identity());
      for (std::size_t i = start; i < x.size() && i < start + 1024; ++i)
        lane[(i - start) % 64] = op(lane[(i - start) % 64], x[i]);
      for (std::size_t l = 0; l < 16; ++l)
        lane[l] = op(op(lane[l], lane[l + 16]), op(lane[l + 32], lane[l + 48]));
      for (std::size_t half = 8; half > 0; half /= 2)
        for (std::size_t l = 0; l < half; ++l) lane[l] = op(lane[l], lane[l + half]);
      chunks.push_back(lane[0]);
    }
    return tree(chunks);
  }
  Word column(const std::vector<Word>& x) const {
    std::vector<Word> chunks;
    for (std::size_t start = 0; start < x.size(); start += 64) {
      Word group[4] = {identity(), identity(), identity(), identity()};
      for (std::size_t i = start; i < x.size() && i < start + 64; ++i)
        group[(i - start) % 4] = op(group[(i - start) % 4], x[i]);
      chunks.push_back(op(op(group[0], group[1]), op(group[2], group[3])));
    }
    return tree(chunks);
  }
  Word reduce(const std::vector<Word>& x, bool row_form) const {
    if (x.empty()) return max && !boolean ? identity() : 0;
    return row_form ? row(x) : column(x);
  }
};

inline Word cast(LaneType from, LaneType to, bool boolean, Word x) {
  if (boolean && to != LaneType::f32) return from == LaneType::f32 ? as_float(x) != 0.0f : x != 0;
  if (from == LaneType::f32 && to != LaneType::f32) {
    const double v = as_float(x);
    const double low = to == LaneType::i32 ? -2147483648.0 : 0.0;
    const double high = to == LaneType::i32 ? 2147483647.0 : 4294967295.0;
    if (std::isnan(v)) return 0;
    return static_cast<Word>(
        static_cast<std::int64_t>(std::trunc(std::min(std::max(v, low), high))));
  }
  if (from != LaneType::f32 && to == LaneType::f32)
    return bits(from == LaneType::i32 ? static_cast<float>(as_int(x)) : static_cast<float>(x));
  return x;
}

inline Word load(DType dtype, const void* base, std::int64_t element) {
  const char* p =
      static_cast<const char*>(base) + element * static_cast<std::int64_t>(size_of(dtype));
  switch (dtype) {
    case DType::f16: {
      float16 h;
      std::memcpy(&h, p, 2);
      return bits(static_cast<float>(h));
    }
    case DType::bf16: {
      bfloat16 h;
      std::memcpy(&h, p, 2);
      return bits(static_cast<float>(h));
    }
    case DType::u8:
    case DType::boolean:
      return static_cast<unsigned char>(*p);
    default: {
      Word w;
      std::memcpy(&w, p, 4);
      return w;
    }
  }
}

inline void store(DType dtype, void* base, std::int64_t element, Word w) {
  char* p = static_cast<char*>(base) + element * static_cast<std::int64_t>(size_of(dtype));
  switch (dtype) {
    case DType::f16: {
      const float16 h(as_float(w));
      std::memcpy(p, &h, 2);
      return;
    }
    case DType::bf16: {
      const bfloat16 h(as_float(w));
      std::memcpy(p, &h, 2);
      return;
    }
    case DType::u8:
    case DType::boolean:
      *p = static_cast<char>(w);
      return;
    default:
      std::memcpy(p, &w, 4);
  }
}

/// Values of all instructions over the loop space, then the stores.
class Interpreter {
 public:
  Interpreter(const Kernel& kernel, std::span<const cpu::ScalarValue> scalars)
      : kernel_(kernel), scalars_(scalars) {
    for (int d = 0; d < kernel.rank; ++d) {
      const auto i = static_cast<std::size_t>(d);
      elements_ *= kernel.extents[i];
      if (!kernel.reduced[i]) kept_ *= kernel.extents[i];
      if (kernel.extents[i] != 1) row_form_ = kernel.reduced[i];
    }
  }

  void run(std::span<void* const> buffers) {
    for (const KernelInstr& instr : kernel_.code) values_.push_back(evaluate(instr, buffers));
    for (const KernelStore& s : kernel_.stores) {
      const KernelInstr& instr = kernel_.code[static_cast<std::size_t>(s.value)];
      const std::int64_t n = instr.kept ? kept_ : elements_;
      for (std::int64_t i = 0; i < n; ++i)
        store(kernel_.buffers[static_cast<std::size_t>(s.buffer)],
              buffers[static_cast<std::size_t>(s.buffer)], element(s.view, i, instr.kept),
              values_[static_cast<std::size_t>(s.value)][static_cast<std::size_t>(i)]);
    }
  }

 private:
  using Values = std::vector<Word>;

  /// Loop indices of flat index i of the full or the kept space.
  std::array<std::int64_t, Shape::max_rank> indices(std::int64_t i, bool kept) const {
    std::array<std::int64_t, Shape::max_rank> index{};
    for (int d = kernel_.rank - 1; d >= 0; --d) {
      const auto u = static_cast<std::size_t>(d);
      if (kept && kernel_.reduced[u]) continue;
      index[u] = i % kernel_.extents[u];
      i /= kernel_.extents[u];
    }
    return index;
  }
  std::int64_t element(const AffineView& view, std::int64_t i, bool kept) const {
    const auto index = indices(i, kept);
    std::int64_t e = view.offset;
    for (std::size_t d = 0; d < Shape::max_rank; ++d) e += view.stride[d] * index[d];
    return e;
  }
  std::int64_t kept_of(std::int64_t i) const {
    const auto index = indices(i, false);
    std::int64_t k = 0;
    for (int d = 0; d < kernel_.rank; ++d) {
      const auto u = static_cast<std::size_t>(d);
      if (!kernel_.reduced[u]) k = k * kernel_.extents[u] + index[u];
    }
    return k;
  }
  Word operand(std::int16_t name, std::int64_t i, bool kept) const {
    if (name < 0) return 0;
    const bool operand_kept = kernel_.code[static_cast<std::size_t>(name)].kept;
    const Values& v = values_[static_cast<std::size_t>(name)];
    return v[static_cast<std::size_t>(operand_kept && !kept ? kept_of(i) : i)];
  }

  Values evaluate(const KernelInstr& instr, std::span<void* const> buffers) const {
    if (instr.op == KernelOp::ReduceSum || instr.op == KernelOp::ReduceMax) {
      std::vector<Values> lists(static_cast<std::size_t>(kept_));
      for (std::int64_t i = 0; i < elements_; ++i)
        lists[static_cast<std::size_t>(kept_of(i))].push_back(operand(instr.a, i, false));
      const Reduction reduction{instr.type, instr.op == KernelOp::ReduceMax, instr.boolean};
      Values result;
      for (const Values& list : lists) result.push_back(reduction.reduce(list, row_form_));
      return result;
    }
    Values result(static_cast<std::size_t>(instr.kept ? kept_ : elements_));
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] = one(instr, static_cast<std::int64_t>(i), buffers);
    return result;
  }

  Word one(const KernelInstr& instr, std::int64_t i, std::span<void* const> buffers) const {
    const auto imm = static_cast<std::size_t>(instr.imm);
    switch (instr.op) {
      case KernelOp::Load:
        return load(kernel_.buffers[imm], buffers[imm], element(instr.view, i, instr.kept));
      case KernelOp::Const:
        return instr.type == LaneType::f32
                   ? bits(static_cast<float>(instr.constant))
                   : static_cast<Word>(static_cast<std::int64_t>(instr.constant));
      case KernelOp::Scalar:
        return instr.type == LaneType::f32 ? bits(static_cast<float>(scalars_[imm].floating))
                                           : static_cast<Word>(scalars_[imm].integer);
      case KernelOp::Iota: {
        const std::int64_t e = element(instr.view, i, instr.kept);
        return instr.type == LaneType::f32 ? bits(static_cast<float>(e)) : static_cast<Word>(e);
      }
      case KernelOp::RandomBits:
      case KernelOp::RandomUniform: {
        const Word w = philox::bits(static_cast<std::uint64_t>(scalars_[imm].integer),
                                    static_cast<std::uint64_t>(element(instr.view, i, instr.kept)));
        return instr.op == KernelOp::RandomBits ? w : bits(philox::uniform(w));
      }
      default:
        break;
    }
    const Word a = operand(instr.a, i, instr.kept), b = operand(instr.b, i, instr.kept),
               c = operand(instr.c, i, instr.kept);
    const auto type_of = [&](std::int16_t value) {
      return kernel_.code[static_cast<std::size_t>(value)].type;
    };
    const LaneType type = type_of(instr.op == KernelOp::Select ? instr.b : instr.a);
    if (instr.op == KernelOp::Cast) return cast(type, instr.type, instr.boolean, a);
    return elementwise(instr.op, type, a, b, c);
  }

  const Kernel& kernel_;
  std::span<const cpu::ScalarValue> scalars_;
  std::int64_t elements_ = 1, kept_ = 1;
  bool row_form_ = false;
  std::vector<Values> values_;
};

}  // namespace genera::oracle
