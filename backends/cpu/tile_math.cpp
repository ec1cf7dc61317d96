// Tile kernels of the transcendental functions.
#include "backends/cpu/tile_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/math-inl.h"
#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

#define GENERA_MATH_TILE(Name, function)                                                     \
  struct Name {                                                                              \
    using D = DF;                                                                            \
    static HWY_INLINE hn::Vec<DF> apply(D d, hn::Vec<DF> x) { return math::function(d, x); } \
  };

GENERA_MATH_TILE(Exp, exp)
GENERA_MATH_TILE(Expm1, expm1)
GENERA_MATH_TILE(Log, log)
GENERA_MATH_TILE(Log1p, log1p)
GENERA_MATH_TILE(Sin, sin)
GENERA_MATH_TILE(Tanh, tanh)
GENERA_MATH_TILE(Sigmoid, sigmoid)
GENERA_MATH_TILE(Erf, erf)

}  // namespace

void fill_math(TileTable& t) {
  t.at(TileOp::exp, 0) = unary_loop<Exp>;
  t.at(TileOp::expm1, 0) = unary_loop<Expm1>;
  t.at(TileOp::log, 0) = unary_loop<Log>;
  t.at(TileOp::log1p, 0) = unary_loop<Log1p>;
  t.at(TileOp::sin, 0) = unary_loop<Sin>;
  t.at(TileOp::tanh, 0) = unary_loop<Tanh>;
  t.at(TileOp::sigmoid, 0) = unary_loop<Sigmoid>;
  t.at(TileOp::erf, 0) = unary_loop<Erf>;
}

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_math);
void fill_math_table(TileTable& t) { HWY_DYNAMIC_DISPATCH(fill_math)(t); }

}  // namespace genera::cpu
#endif
