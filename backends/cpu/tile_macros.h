/// How tile_*.cpp write the tile kernel of an opcode: the operands' vector type and one expression
/// of a, b, c (and the tag d). The kernel enters the table by itself (set_kernels in
/// tile_loops-inl.h).
#pragma once

#define GENERA_TILE(op, count, Type, expression, ...)                                      \
  template <>                                                                              \
  struct Tile<TileOp::op> {                                                                \
    using Kernel = Tile;                                                                   \
    using D = Type;                                                                        \
    static constexpr int operands = count;                                                 \
    static HWY_INLINE auto apply([[maybe_unused]] D d, __VA_ARGS__) { return expression; } \
  };
#define GENERA_UNARY_TILE(op, Type, Vector, expression) \
  GENERA_TILE(op, 1, Type, expression, Vector a)
#define GENERA_BINARY_TILE(op, Type, Vector, expression) \
  GENERA_TILE(op, 2, Type, expression, Vector a, Vector b)
#define GENERA_TERNARY_TILE(op, Type, Vector, expression) \
  GENERA_TILE(op, 3, Type, expression, Vector a, Vector b, Vector c)

/// The kernel of an opcode that gives the same bits as another one.
#define GENERA_SAME_TILE(op, other) \
  template <>                       \
  struct Tile<TileOp::op> : Tile<TileOp::other> {};
