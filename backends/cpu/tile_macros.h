/// How tile_*.cpp write a tile kernel: a struct with the operands' vector type and one expression.
#pragma once

#define GENERA_UNARY_TILE(Name, Type, Vector, expression)                               \
  struct Name {                                                                         \
    using D = Type;                                                                     \
    static HWY_INLINE auto apply([[maybe_unused]] D d, Vector a) { return expression; } \
  };
#define GENERA_BINARY_TILE(Name, Type, Vector, expression)                                        \
  struct Name {                                                                                   \
    using D = Type;                                                                               \
    static HWY_INLINE auto apply([[maybe_unused]] D d, Vector a, Vector b) { return expression; } \
  };
#define GENERA_TERNARY_TILE(Name, Type, Vector, expression)                            \
  struct Name {                                                                        \
    using D = Type;                                                                    \
    static HWY_INLINE auto apply([[maybe_unused]] D d, Vector a, Vector b, Vector c) { \
      return expression;                                                               \
    }                                                                                  \
  };
