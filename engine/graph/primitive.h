/// The primitives as an enumeration, with what the table says of each.
#pragma once

#include <cstdint>
#include <string_view>

namespace genera {

enum class Op : std::uint8_t {
#define GENERA_UNARY(Name, ...) Name,
#define GENERA_BINARY(Name, ...) Name,
#define GENERA_TERNARY(Name, ...) Name,
#define GENERA_OTHER(Name, ...) Name,
#include "engine/graph/primitives.def"
};

inline constexpr int op_count = 0
#define GENERA_UNARY(...) +1
#define GENERA_BINARY(...) +1
#define GENERA_TERNARY(...) +1
#define GENERA_OTHER(...) +1
#include "engine/graph/primitives.def"
    ;

enum class OpClass : std::uint8_t {
  Create,
  Elementwise,
  Reduction,
  Scan,
  Movement,
  Index,
  Contraction,
  LinearAlgebra,
  Structure
};

/// Which element types an elementwise primitive accepts.
enum class Accepts : std::uint8_t { Floating, Numeric, Any };

struct OpInfo {
  std::string_view name;
  int inputs;  ///< -1: any number
  OpClass op_class;
  // Of elementwise rows only; primitives.def says what they mean.
  Accepts accepts = Accepts::Any;
  std::string_view glsl = "";
  double cost = 0, ulp = 0, low = 0, high = 0;
  bool compares = false;
};

inline constexpr OpInfo op_table[op_count] = {
#define GENERA_UNARY(Name, function, types, reference, glsl, gradient, ...) \
  {#Name, 1, OpClass::Elementwise, Accepts::types, glsl, __VA_ARGS__},
#define GENERA_BINARY(Name, function, types, reference, glsl, ga, gb, ...) \
  {#Name, 2, OpClass::Elementwise, Accepts::types, glsl, __VA_ARGS__},
#define GENERA_COMPARE(Name, function, types, reference, glsl, ga, gb, ...) \
  {#Name, 2, OpClass::Elementwise, Accepts::types, glsl, __VA_ARGS__, true},
#define GENERA_TERNARY(Name, function, types, reference, glsl, ga, gb, gc, ...) \
  {#Name, 3, OpClass::Elementwise, Accepts::types, glsl, __VA_ARGS__},
#define GENERA_OTHER(Name, inputs, op_class) {#Name, inputs, OpClass::op_class},
#include "engine/graph/primitives.def"
};

constexpr const OpInfo& info(Op op) { return op_table[static_cast<int>(op)]; }
constexpr std::string_view name(Op op) { return info(op).name; }
constexpr bool is_elementwise(Op op) { return info(op).op_class == OpClass::Elementwise; }

}  // namespace genera
