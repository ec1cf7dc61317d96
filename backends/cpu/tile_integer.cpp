// Tile kernels of integers, selection, copies and casts.
#include <cmath>
#include <limits>
#include <type_traits>

#include "backends/cpu/tile_macros.h"
#include "backends/cpu/tile_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_integer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE VI truncate_to_i32(VF a) {
  const DF d;
  const auto too_large = hn::Ge(a, hn::Set(d, 2147483648.0f));
  const auto too_small = hn::Lt(a, hn::Set(d, -2147483648.0f));
  const auto outside = hn::Or(hn::IsNaN(a), hn::Or(too_large, too_small));
  VI y = hn::ConvertTo(DI(), hn::IfThenZeroElse(outside, a));
  y = hn::IfThenElse(hn::RebindMask(DI(), too_large),
                     hn::Set(DI(), std::numeric_limits<std::int32_t>::max()), y);
  return hn::IfThenElse(hn::RebindMask(DI(), too_small),
                        hn::Set(DI(), std::numeric_limits<std::int32_t>::min()), y);
}

HWY_INLINE VU truncate_to_u32(VF a) {
  const DF d;
  const VF half = hn::Set(d, 2147483648.0f);
  const auto too_large = hn::Ge(a, hn::Set(d, 4294967296.0f));
  const auto positive = hn::Gt(a, hn::Zero(d));
  const VF x = hn::IfThenElseZero(hn::AndNot(too_large, positive), a);
  const auto upper = hn::Ge(x, half);
  const VU y = hn::BitCast(DU(), hn::ConvertTo(DI(), hn::IfThenElse(upper, hn::Sub(x, half), x)));
  const VU top = hn::IfThenElseZero(hn::RebindMask(DU(), upper), hn::Set(DU(), 0x80000000u));
  return hn::IfThenElse(hn::RebindMask(DU(), too_large), hn::Set(DU(), 0xffffffffu),
                        hn::Xor(y, top));
}

/// Both halves are exact, their sum rounds once.
HWY_INLINE VF u32_to_float(VU a) {
  const DF d;
  const VF high = hn::ConvertTo(d, hn::BitCast(DI(), hn::ShiftRight<16>(a)));
  const VF low = hn::ConvertTo(d, hn::BitCast(DI(), hn::And(a, hn::Set(DU(), 0xffffu))));
  return hn::Add(hn::Mul(high, hn::Set(d, 65536.0f)), low);
}

GENERA_UNARY_TILE(copy, DU, VU, a)
GENERA_UNARY_TILE(Neg_i32, DI, VI, hn::Sub(hn::Zero(d), a))
GENERA_SAME_TILE(Neg_u32, Neg_i32)
GENERA_UNARY_TILE(f32_to_i32, DF, VF, truncate_to_i32(a))
GENERA_UNARY_TILE(f32_to_u32, DF, VF, truncate_to_u32(a))
GENERA_UNARY_TILE(f32_to_bool, DF, VF, zero_or_one(hn::Not(hn::Eq(a, hn::Zero(d)))))
GENERA_UNARY_TILE(i32_to_f32, DI, VI, hn::ConvertTo(DF(), a))
GENERA_UNARY_TILE(u32_to_f32, DU, VU, u32_to_float(a))
GENERA_UNARY_TILE(i32_to_bool, DI, VI, zero_or_one(hn::Not(hn::Eq(a, hn::Zero(d)))))
GENERA_BINARY_TILE(Add_i32, DI, VI, hn::Add(a, b))
GENERA_SAME_TILE(Add_u32, Add_i32)
GENERA_BINARY_TILE(Mul_i32, DI, VI, hn::Mul(a, b))
GENERA_SAME_TILE(Mul_u32, Mul_i32)
GENERA_UNARY_TILE(Relu_i32, DI, VI, hn::Max(a, hn::Zero(d)))
GENERA_UNARY_TILE(Relu_u32, DU, VU, a)
GENERA_BINARY_TILE(Max_i32, DI, VI, hn::Max(a, b))
GENERA_BINARY_TILE(Max_u32, DU, VU, hn::Max(a, b))
GENERA_BINARY_TILE(Less_i32, DI, VI, zero_or_one(hn::Lt(a, b)))
GENERA_BINARY_TILE(Less_u32, DU, VU, zero_or_one(hn::Lt(a, b)))
GENERA_BINARY_TILE(Equal_i32, DI, VI, zero_or_one(hn::Eq(a, b)))
GENERA_SAME_TILE(Equal_u32, Equal_i32)
GENERA_BINARY_TILE(sub_i32, DI, VI, hn::Sub(a, b))
GENERA_TERNARY_TILE(Select_i32, DI, VI, hn::IfThenElse(hn::Eq(a, hn::Zero(d)), c, b))
GENERA_SAME_TILE(Select_u32, Select_i32)
GENERA_SAME_TILE(Select_f32, Select_i32)

/// Integer division has no SIMD instruction, but f64 holds every 32-bit quotient well enough: one
/// that is not whole is at least 2^-32 away from the next integer, relatively more than f64's
/// rounding. 0 for a zero divisor, rounded towards minus infinity, wrapping (the least integer
/// divided by -1).
template <class T>
HWY_INLINE T floor_quotient(T a, T b) {
  const double divisor = b == 0 ? 1.0 : static_cast<double>(b);
  double q = std::floor(static_cast<double>(a) / divisor);
  if constexpr (std::is_signed_v<T>) q = q == 2147483648.0 ? -q : q;
  return b == 0 ? T{0} : static_cast<T>(q);
}

template <class T, unsigned single>
void divide_integers(void* out, const void* a, const void* b, const void*, std::size_t n) {
  auto* o = static_cast<T*>(out);
  const auto* x = static_cast<const T*>(a);
  const auto* y = static_cast<const T*>(b);
  for (std::size_t i = 0; i < n; ++i)
    o[i] = floor_quotient(x[(single & 1) ? 0 : i], y[(single & 2) ? 0 : i]);
}

template <class T>
void set_division(TileTable& t, TileOp op) {
  t.at(op, 0) = divide_integers<T, 0>;
  t.at(op, 1) = divide_integers<T, 1>;
  t.at(op, 2) = divide_integers<T, 2>;
}

}  // namespace

void fill_integer(TileTable& t) {
  set_kernels(t);
  t.at(TileOp::copy, 1) = unary_loop<Tile<TileOp::copy>, true>;
  set_division<std::int32_t>(t, TileOp::Div_i32);
  set_division<std::uint32_t>(t, TileOp::Div_u32);
}

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_integer);
void fill_integer_table(TileTable& t) { HWY_DYNAMIC_DISPATCH(fill_integer)(t); }

}  // namespace genera::cpu
#endif
