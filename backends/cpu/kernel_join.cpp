// Neighbouring instructions that one tile kernel does in one pass over memory, with the bits that all
// would give.
#include <utility>

#include "backends/cpu/kernel_program.h"

namespace genera::cpu {
namespace {

using Kind = Value::Kind;

class Joiner {
 public:
  Joiner(std::vector<Value>& values, const std::vector<Output>& outputs) : values_(values) {
    uses_.assign(values.size(), 0);
    for (const Value& v : values)
      for (const std::int16_t operand : {v.a, v.b, v.c})
        if (operand >= 0) ++uses_[static_cast<std::size_t>(operand)];
    for (const Output& o : outputs) ++uses_[static_cast<std::size_t>(o.value)];
  }

  void run() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      Value& v = values_[i];
      if (v.kind != Kind::map) continue;
      if (v.op == TileOp::Add_f32) join_sum(v);
      if (v.op == TileOp::Add_i32) join_negated(v, TileOp::Neg_i32, TileOp::sub_i32);
      if (v.op == TileOp::Add_u32) join_negated(v, TileOp::Neg_u32, TileOp::sub_i32);
      if (v.op == TileOp::sub_f32) join_difference(v);
      if (v.op == TileOp::Neg_f32) join_minimum(v);
      if (v.op == TileOp::Div_f32) join_quotient(v);
    }
    for (Value& v : values_)
      if (v.kind == Kind::map && v.op == TileOp::Mul_f32 && v.a == v.b) {
        set(v, TileOp::square, v.a, -1, -1);
      }
  }

 private:
  Value& at(std::int16_t i) { return values_[static_cast<std::size_t>(i)]; }
  bool is(std::int16_t i, TileOp op) { return i >= 0 && at(i).kind == Kind::map && at(i).op == op; }
  /// A product of the same level that nothing else reads.
  bool joinable(std::int16_t i, TileOp op, Level level) {
    return is(i, op) && uses_[static_cast<std::size_t>(i)] == 1 && at(i).level == level;
  }
  void set(Value& v, TileOp op, std::int16_t a, std::int16_t b, std::int16_t c) {
    for (const std::int16_t operand : {v.a, v.b, v.c})
      if (operand >= 0) --uses_[static_cast<std::size_t>(operand)];
    v.op = op;
    v.a = a;
    v.b = b;
    v.c = c;
    for (const std::int16_t operand : {a, b, c})
      if (operand >= 0) ++uses_[static_cast<std::size_t>(operand)];
  }

  /// a + (-b) is a - b.
  void join_negated(Value& v, TileOp negation, TileOp difference) {
    if (is(v.b, negation))
      set(v, difference, v.a, at(v.b).a, -1);
    else if (is(v.a, negation))
      set(v, difference, v.b, at(v.a).a, -1);
  }

  void join_sum(Value& v) {
    join_negated(v, TileOp::Neg_f32, TileOp::sub_f32);
    if (v.op != TileOp::Add_f32) return;
    // Sums commute; two products: a square beside the other, else the first is joined.
    for (const auto& [product, other] : {std::pair{v.a, v.b}, std::pair{v.b, v.a}})
      if (joinable(product, TileOp::Mul_f32, v.level) &&
          joinable(other, TileOp::Mul_f32, v.level) && at(other).a == at(other).b) {
        const Value m = at(product);
        return set(v, TileOp::mul_add_square, m.a, m.b, at(other).a);
      }
    for (const auto& [product, other] : {std::pair{v.a, v.b}, std::pair{v.b, v.a}})
      if (joinable(product, TileOp::Mul_f32, v.level)) {
        const Value m = at(product);
        return set(v, TileOp::mul_add, m.a, m.b, other);
      }
  }

  void join_difference(Value& v) {
    if (joinable(v.a, TileOp::Mul_f32, v.level)) {
      const Value m = at(v.a);
      set(v, TileOp::mul_sub, m.a, m.b, v.b);
    } else if (joinable(v.b, TileOp::Mul_f32, v.level)) {
      const Value m = at(v.b);
      set(v, TileOp::sub_mul, m.a, m.b, v.a);
    }
  }

  /// a / (sqrt(b) + c), which every adaptive optimiser ends with: the processor divides while it looks for the root.
  void join_quotient(Value& v) {
    if (!joinable(v.b, TileOp::Add_f32, v.level)) return;
    const Value sum = at(v.b);
    for (const auto& [root, other] : {std::pair{sum.a, sum.b}, std::pair{sum.b, sum.a}})
      if (joinable(root, TileOp::Sqrt_f32, v.level))
        return set(v, TileOp::div_root, v.a, at(root).a, other);
  }

  /// -max(-a, -b)
  void join_minimum(Value& v) {
    if (!is(v.a, TileOp::Max_f32)) return;
    const Value m = at(v.a);
    if (is(m.a, TileOp::Neg_f32) && is(m.b, TileOp::Neg_f32))
      set(v, TileOp::min_f32, at(m.a).a, at(m.b).a, -1);
  }

  std::vector<Value>& values_;
  std::vector<int> uses_;
};

}  // namespace

void join_values(std::vector<Value>& values, const std::vector<Output>& outputs) {
  Joiner(values, outputs).run();
  // What nothing reads any more.
  for (Value& v : values) v.used = false;
  for (const Output& o : outputs) values[static_cast<std::size_t>(o.value)].used = true;
  for (std::size_t i = values.size(); i-- > 0;) {
    if (!values[i].used) continue;
    for (const std::int16_t operand : {values[i].a, values[i].b, values[i].c})
      if (operand >= 0) values[static_cast<std::size_t>(operand)].used = true;
  }
}

}  // namespace genera::cpu
