// Tile kernels of f32 arithmetic and comparison.
#include <cmath>
#include <limits>

#include "backends/cpu/tile_macros.h"
#include "backends/cpu/tile_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_arithmetic.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE VF round_down(VF a) {
#if HWY_TARGET == HWY_SCALAR
  return VF(std::floor(a.raw));  // Highway's loses the sign of zero
#else
  return hn::Floor(a);
#endif
}

HWY_INLINE VF fused(VF a, VF b, VF c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  HWY_ALIGN float x[lanes_of<DF>], y[lanes_of<DF>], z[lanes_of<DF>];
  hn::Store(a, DF(), x);
  hn::Store(b, DF(), y);
  hn::Store(c, DF(), z);
  for (std::size_t i = 0; i < lanes_of<DF>; ++i) z[i] = std::fma(x[i], y[i], z[i]);
  return hn::Load(DF(), z);
#endif
}

GENERA_UNARY_TILE(Neg_f32, DF, VF, hn::Neg(a))
GENERA_UNARY_TILE(Relu_f32, DF, VF, larger(d, a, hn::Zero(d)))
/// The correctly rounded root. AVX-512's instruction has half the speed of Newton's iteration from its 14-bit guess:
/// g -> sqrt(a), h -> 1 / (2 sqrt(a)); the last step's remainder a - g g is exact.
HWY_INLINE VF root(VF a) {
#if HWY_TARGET == HWY_AVX3
  const DF d;
  const DU du;
  const VF half = hn::Set(d, 0.5f);
  const auto zero = hn::Eq(a, hn::Zero(d));
  const VF guess = hn::IfThenZeroElse(zero, hn::ApproximateReciprocalSqrt(a));
  VF g = hn::Mul(a, guess), h = hn::Mul(guess, half);
  const VF e = hn::NegMulAdd(g, h, half);
  g = hn::MulAdd(g, e, g);
  h = hn::MulAdd(h, e, h);
  g = hn::MulAdd(hn::NegMulAdd(g, g, a), h, g);
  // Not for numbers so small or large that the remainder or the guess leave the normal range: 2^-100 to 2^100.
  const auto scale = hn::Sub(hn::BitCast(du, a), hn::Set(du, 27u << 23));
  const auto outside = hn::AndNot(hn::RebindMask(du, zero), hn::Gt(scale, hn::Set(du, 200u << 23)));
  if (HWY_UNLIKELY(!hn::AllFalse(du, outside))) return hn::Sqrt(a);
  return g;
#else
  return hn::Sqrt(a);
#endif
}

GENERA_UNARY_TILE(Sqrt_f32, DF, VF, root(a))
GENERA_UNARY_TILE(Floor_f32, DF, VF, round_down(a))
GENERA_UNARY_TILE(square, DF, VF, hn::Mul(a, a))

GENERA_BINARY_TILE(Add_f32, DF, VF, hn::Add(a, b))
GENERA_BINARY_TILE(Mul_f32, DF, VF, hn::Mul(a, b))
GENERA_BINARY_TILE(Div_f32, DF, VF, hn::Div(a, b))
GENERA_BINARY_TILE(Max_f32, DF, VF, larger(d, a, b))
GENERA_BINARY_TILE(Less_f32, DF, VF, zero_or_one(hn::Lt(a, b)))
GENERA_BINARY_TILE(Equal_f32, DF, VF, zero_or_one(hn::Eq(a, b)))
GENERA_BINARY_TILE(sub_f32, DF, VF, hn::Sub(a, b))
GENERA_BINARY_TILE(min_f32, DF, VF, hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::Lt(a, b)), a, b))

GENERA_TERNARY_TILE(Fma_f32, DF, VF, fused(a, b, c))
GENERA_TERNARY_TILE(mul_add, DF, VF, hn::Add(hn::Mul(a, b), c))
GENERA_TERNARY_TILE(mul_add_square, DF, VF, hn::Add(hn::Mul(a, b), hn::Mul(c, c)))
GENERA_TERNARY_TILE(mul_sub, DF, VF, hn::Sub(hn::Mul(a, b), c))
GENERA_TERNARY_TILE(sub_mul, DF, VF, hn::Sub(c, hn::Mul(a, b)))
GENERA_TERNARY_TILE(div_root, DF, VF, hn::Div(a, hn::Add(root(b), c)))

}  // namespace

void fill_arithmetic(TileTable& t) { set_kernels(t); }

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_arithmetic);
void fill_arithmetic_table(TileTable& t) { HWY_DYNAMIC_DISPATCH(fill_arithmetic)(t); }

}  // namespace genera::cpu
#endif
