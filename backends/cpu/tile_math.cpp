// Tile kernels of the transcendental functions, and their formulas in f32, one vector at a time.
// Shared text: the Vulkan backend's GLSL prelude repeats the formulas, so they are plain
// polynomials without tables (but for sin of huge arguments).
//
// The ulp column of primitives.def bounds their errors; tests/kernel_math_test.cpp measures them
// against f64 over dense grids of all exponents. Specials as in <cmath>.
#include <cstdint>
#include <cstring>
#include <limits>

#include "backends/cpu/tile_macros.h"
#include "backends/cpu/tile_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

namespace math {

template <class D, class V = hn::Vec<D>>
HWY_INLINE V horner(D, V, float c0) {
  return hn::Set(D(), c0);
}

/// c0 + x (c1 + x (c2 + ...)).
template <class D, class... C, class V = hn::Vec<D>>
HWY_INLINE V horner(D d, V x, float c0, C... rest) {
  return hn::MulAdd(horner(d, x, rest...), x, hn::Set(d, c0));
}

/// 2^n for integers -126 <= n <= 127.
template <class D, class VI>
HWY_INLINE hn::Vec<D> power_of_two(D d, VI n) {
  const hn::RebindToSigned<D> di;
  return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
}

template <class D>
struct ExpParts {
  hn::Vec<D> q;                      ///< e^r - 1, |r| <= ln(2)/2
  hn::Vec<hn::RebindToSigned<D>> n;  ///< x = n ln 2 + r
  hn::Vec<D> whole;                  ///< n
};

/// For |x| < 2^20; NaN gives q = NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE ExpParts<D> exp_parts(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const V shifted = hn::MulAdd(x, hn::Set(d, 1.44269504089f), magic);
  const V n = hn::Sub(shifted, magic);
  // The upper part of ln 2 has 15 bits, so that n times it is exact even without fma.
  V r = hn::NegMulAdd(n, hn::Set(d, 0x1.62e4p-1f), x);
  r = hn::NegMulAdd(n, hn::Set(d, 0x1.7f7d1cp-20f), r);
  const V p =
      horner(d, r, 0.5f, 0.166665766661f, 0.041666554213f, 0.00836323288368f, 0.00139262508315f);
  return {hn::MulAdd(hn::Mul(r, r), p, r),
          hn::Sub(hn::BitCast(di, shifted), hn::BitCast(di, magic)), n};
}

/// e^x for -150 ln 2 <= x <= 128.5 ln 2.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_clamped(D d, V x) {
  const ExpParts<D> e = exp_parts(d, x);
  const V y = hn::Add(e.q, hn::Set(d, 1.0f));
#if HWY_TARGET == HWY_AVX3
  // y 2^n in one instruction, rounded once as below.
  if constexpr (hn::MaxLanes(D()) == 16) return V{_mm512_scalef_ps(y.raw, e.whole.raw)};
#endif
  // Two factors: 2^n alone would overflow at the top and lose the subnormal results at the bottom.
  const auto half = hn::ShiftRight<1>(e.n);
  return hn::Mul(hn::Mul(y, power_of_two(d, half)), power_of_two(d, hn::Sub(e.n, half)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_most(D d, V x, float bound) {  // NaN stays
  const V b = hn::Set(d, bound);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Min(b, x);  // minps gives its second operand if one is NaN
#endif
  return hn::IfThenElse(hn::Gt(x, b), b, x);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V at_least(D d, V x, float bound) {  // NaN stays
  const V b = hn::Set(d, bound);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::Max(b, x);
#endif
  return hn::IfThenElse(hn::Lt(x, b), b, x);
}

/// e^x for x <= 89. Where the result is 0, as in masked attention, nothing may underflow on the way:
/// processors take a hundred cycles for that.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_below(D d, V x) {
  const auto vanishes = hn::Lt(x, hn::Set(d, -104.0f));
  return hn::IfThenZeroElse(vanishes, exp_clamped(d, hn::IfThenZeroElse(vanishes, x)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
  return exp_below(d, at_most(d, x, 89.0f));
}

/// e^x - 1 for -20 <= x <= 89; the sign of zero is lost.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1_clamped(D d, V x) {
  const hn::RebindToSigned<D> di;
  const ExpParts<D> e = exp_parts(d, x);
  // 2^n q + (2^n - 1), halved so that 2^128 does not overflow before its time.
  const V s = power_of_two(d, hn::Sub(e.n, hn::Set(di, 1)));
  const V y = hn::MulAdd(s, e.q, hn::Sub(s, hn::Set(d, 0.5f)));
  return hn::Add(y, y);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1(D d, V x) {
  const V y = expm1_clamped(d, at_least(d, at_most(d, x, 89.0f), -20.0f));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-25f)), x, y);
}

/// k ln 2 + ln(1 + f) + c, sqrt(1/2) - 1 <= f < sqrt(2) - 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log_polynomial(D d, V k, V f, V c) {
  const V z = hn::Mul(f, f);
  V p =
      horner(d, f, 0.333333311704f, -0.249999969448f, 0.200007182426f, -0.166678060401f,
             0.142489674019f, -0.124255237216f, 0.116862220345f, -0.114814069723f, 0.069714784953f);
  p = hn::MulAdd(hn::Mul(f, z), p, c);
  p = hn::MulAdd(k, hn::Set(d, 0x1.7f7d1cp-20f), p);
  p = hn::NegMulAdd(hn::Set(d, 0.5f), z, p);
  return hn::MulAdd(k, hn::Set(d, 0x1.62e4p-1f), hn::Add(f, p));
}

/// The bits of sqrt(1/2): x = 2^k (1 + f) with k = (bits(x) - these) >> 23.
inline constexpr std::int32_t sqrt_half_bits = 0x3f3504f3;

template <class D, class V = hn::Vec<D>>
HWY_INLINE V log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto tiny = hn::Lt(x, hn::Set(d, 0x1p-126f));
  const V normal = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p23f)), x);
  const auto bits = hn::BitCast(di, normal);
  const auto k = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, sqrt_half_bits)));
  const V f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(k))), hn::Set(d, 1.0f));
  const V kf = hn::Add(hn::ConvertTo(d, k), hn::IfThenElseZero(tiny, hn::Set(d, -23.0f)));
  V y = log_polynomial(d, kf, f, hn::Zero(d));
  const V inf = hn::Set(d, std::numeric_limits<float>::infinity());
  y = hn::IfThenElse(hn::Lt(x, inf), y, x);  // infinity and NaN
  y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(inf), y);
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()),
                        y);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V one = hn::Set(d, 1.0f);
  const V u = hn::Add(one, x);
  // What the addition lost: ln(1+x) = ln(u) + lost/u to first order.
  const V lost =
      hn::IfThenElse(hn::Ge(x, one), hn::Sub(one, hn::Sub(u, x)), hn::Sub(x, hn::Sub(u, one)));
  const auto bits = hn::BitCast(di, u);
  const auto k = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, sqrt_half_bits)));
  const V kf = hn::ConvertTo(d, k);
  const auto near_zero = hn::Eq(kf, hn::Zero(d));
  const V reduced = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(k))), one);
  const V f = hn::IfThenElse(near_zero, x, reduced);
  const V c = hn::IfThenElse(near_zero, hn::Zero(d), hn::Div(lost, u));
  V y = log_polynomial(d, kf, f, c);
  const V inf = hn::Set(d, std::numeric_limits<float>::infinity());
  y = hn::IfThenElse(hn::Lt(x, inf), y, x);
  y = hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-25f)), x, y);
  y = hn::IfThenElse(hn::Eq(u, hn::Zero(d)), hn::Neg(inf), y);
  return hn::IfThenElse(hn::Lt(x, hn::Neg(one)),
                        hn::Set(d, std::numeric_limits<float>::quiet_NaN()), y);
}

/// t / (t + 2) with t = e^(2|x|) - 1.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh(D d, V x) {
  const V a = at_most(d, hn::Abs(x), 10.0f);
  const V t = expm1_clamped(d, hn::Add(a, a));
  return hn::CopySign(hn::Div(t, hn::Add(t, hn::Set(d, 2.0f))), x);
}

/// 1 / (1 + e^-x), written with e^-|x| so that nothing overflows.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  const V e = exp_below(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

/// max(x,0) + ln(1 + e), e = e^-|x|. Above sqrt(2), 1 + e is 2 (1 + f) with f = (e - 1) / 2, which is exact.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V softplus(D d, V x) {
  const V one = hn::Set(d, 1.0f), half = hn::Set(d, 0.5f), zero = hn::Zero(d);
  const V e = exp_below(d, hn::Neg(hn::Abs(x)));
  const auto large = hn::Gt(e, hn::Set(d, 0.41421356f));
  const V f = hn::IfThenElse(large, hn::MulSub(e, half, half), e);
  const V y = log_polynomial(d, hn::IfThenElseZero(large, one), f, zero);
  return hn::Add(hn::IfThenElse(hn::Lt(x, zero), zero, x), y);
}

/// A polynomial up to 0.92, 1 - e^(polynomial fitted to ln erfc) above.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf(D d, V x) {
  const V a = hn::Abs(x);
  const V near = hn::MulAdd(
      x,
      horner(d, hn::Mul(x, x), 0.128379166465f, -0.376126320471f, 0.112836694686f,
             -0.0268579590627f, 0.00519748722663f, -0.000810291556098f, 8.20416967616e-5f),
      x);
  const V log_erfc =
      horner(d, at_most(d, a, 4.0f), 0.000320441531277f, -1.13023761637f, -0.631814516659f,
             -0.110094480828f, 0.0264310176034f, -0.00476357524915f, 0.000597743471961f,
             -4.61779127904e-5f, 1.6435696536e-6f);
  const V far = hn::Sub(hn::Set(d, 1.0f), exp_clamped(d, log_erfc));
  return hn::IfThenElse(hn::Lt(a, hn::Set(d, 0.92f)), near, hn::CopySign(far, x));
}

/// c - a b with one rounding where the target has fma; else at least twice the working precision
/// inside.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V precise_neg_mul_add(D d, V a, V b, V c) {
#if HWY_NATIVE_FMA
  (void)d;
  return hn::NegMulAdd(a, b, c);
#else
  HWY_ALIGN float la[hn::MaxLanes(D())], lb[hn::MaxLanes(D())], lc[hn::MaxLanes(D())];
  hn::Store(a, d, la);
  hn::Store(b, d, lb);
  hn::Store(c, d, lc);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i)
    lc[i] = static_cast<float>(static_cast<double>(lc[i]) -
                               static_cast<double>(la[i]) * static_cast<double>(lb[i]));
  return hn::Load(d, lc);
#endif
}

/// x reduced modulo pi to [-pi/2, pi/2] for finite |x| >= 2^17; *odd tells the parity of the
/// multiple taken away. Payne and Hanek, "Radian reduction for trigonometric functions", 1983: 96
/// bits of 1/pi that matter for x.
inline float reduce_huge(float x, bool* odd) {
  static constexpr std::uint32_t inverse_pi[8] = {
      0u, 0x517cc1b7u, 0x27220a94u, 0xfe13abe8u, 0xfa9a6ee0u, 0x6db14acc, 0x9e21c820u, 0xff28b1d5u};
  std::uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const std::uint64_t m = (bits & 0x7fffffu) | 0x800000u;
  // |x| = m 2^e; bits of 1/pi of weight above 2^-e only add multiples of 2. The table has 32 zero
  // bits in front.
  const int e = static_cast<int>((bits >> 23) & 0xffu) - 150;
  const int first = e - 1 + 32, word = first >> 5, shift = first & 31;
  std::uint32_t w[3];
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t pair =
        (static_cast<std::uint64_t>(inverse_pi[word + i]) << 32) | inverse_pi[word + i + 1];
    w[i] = static_cast<std::uint32_t>(pair >> (32 - shift));
  }
  const std::uint64_t low = m * w[2], middle = m * w[1] + (low >> 32);
  const std::uint64_t high = m * w[0] + (middle >> 32);
  // x/pi modulo 2 in 64 bits, 63 of them the fraction; round to the nearest integer.
  const std::uint64_t turns = (high << 32) | (middle & 0xffffffffu);
  *odd = ((turns >> 63) ^ ((turns >> 62) & 1u)) != 0;
  const double fraction = static_cast<double>(static_cast<std::int64_t>(turns << 1)) * 0x1p-64;
  const auto r = static_cast<float>(fraction * 3.14159265358979323846);
  return (bits >> 31) ? -r : r;
}

template <class D, class V = hn::Vec<D>>
HWY_NOINLINE void reduce_huge_lanes(D d, V x, V& r, hn::Vec<hn::RebindToSigned<D>>& sign) {
  const hn::RebindToSigned<D> di;
  HWY_ALIGN float xs[hn::MaxLanes(D())], rs[hn::MaxLanes(D())];
  HWY_ALIGN std::int32_t signs[hn::MaxLanes(D())];
  hn::Store(x, d, xs);
  hn::Store(r, d, rs);
  hn::Store(sign, di, signs);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, &xs[i], 4);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude >= 0x7f800000u) {
      rs[i] = xs[i] - xs[i];  // sin of infinity is NaN
    } else if (magnitude >= 0x48000000u) {
      bool odd;
      rs[i] = reduce_huge(xs[i], &odd);
      signs[i] = odd ? std::numeric_limits<std::int32_t>::min() : 0;
    }
  }
  r = hn::Load(d, rs);
  sign = hn::Load(di, signs);
}

/// Cody and Waite's reduction with pi in three parts below 2^17, Payne and Hanek's above.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sin(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, 12582912.0f);
  const V shifted = hn::MulAdd(x, hn::Set(d, 0.318309886184f), magic);
  const V n = hn::Sub(shifted, magic);
  auto sign = hn::ShiftLeft<31>(hn::BitCast(di, shifted));
  V r = precise_neg_mul_add(d, n, hn::Set(d, 0x1.921fb6p+1f), x);
  r = precise_neg_mul_add(d, n, hn::Set(d, -0x1.777a5cp-24f), r);
  r = precise_neg_mul_add(d, n, hn::Set(d, -0x1.ee59dap-49f), r);
  const auto ordinary = hn::Lt(hn::Abs(x), hn::Set(d, 131072.0f));
  if (HWY_UNLIKELY(!hn::AllTrue(d, ordinary))) reduce_huge_lanes(d, x, r, sign);
  const V s = hn::Mul(r, r);
  const V p = horner(d, s, -0.166666666629f, 0.00833333261941f, -0.000198410513669f,
                     2.75338818816e-6f, -2.4022192272e-8f);
  const V y = hn::Xor(hn::MulAdd(hn::Mul(r, s), p, r), hn::BitCast(d, sign));
  return hn::IfThenElse(hn::Lt(hn::Abs(x), hn::Set(d, 0x1p-13f)), x, y);
}

/// A polynomial for |x| <= 1 (minimax in relative error), pi/2 - atan(1/|x|) above.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V atan(D d, V x) {
  const V a = hn::Abs(x);
  const auto large = hn::Gt(a, hn::Set(d, 1.0f));
  const V t = hn::IfThenElse(large, hn::Div(hn::Set(d, 1.0f), a), a);
  const V s = hn::Mul(t, t);
  const V p = horner(d, s, -0.333332990887f, 0.199985482744f, -0.142642415927f, 0.109521853857f,
                     -0.0840344933602f, 0.0579575784222f, -0.0311778321419f, 0.0109145989583f,
                     -0.0017936202895f);
  const V y = hn::MulAdd(hn::Mul(t, s), p, t);
  return hn::CopySign(hn::IfThenElse(large, hn::Sub(hn::Set(d, 1.57079632679f), y), y), x);
}

}  // namespace math

GENERA_UNARY_TILE(Exp_f32, DF, VF, math::exp(d, a))
GENERA_UNARY_TILE(Expm1_f32, DF, VF, math::expm1(d, a))
GENERA_UNARY_TILE(Log_f32, DF, VF, math::log(d, a))
GENERA_UNARY_TILE(Log1p_f32, DF, VF, math::log1p(d, a))
GENERA_UNARY_TILE(Sin_f32, DF, VF, math::sin(d, a))
GENERA_UNARY_TILE(Atan_f32, DF, VF, math::atan(d, a))
GENERA_UNARY_TILE(Tanh_f32, DF, VF, math::tanh(d, a))
GENERA_UNARY_TILE(Sigmoid_f32, DF, VF, math::sigmoid(d, a))
GENERA_UNARY_TILE(Softplus_f32, DF, VF, math::softplus(d, a))
GENERA_UNARY_TILE(Erf_f32, DF, VF, math::erf(d, a))

}  // namespace

void fill_math(TileTable& t) { set_kernels(t); }

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_math);
void fill_math_table(TileTable& t) { HWY_DYNAMIC_DISPATCH(fill_math)(t); }

}  // namespace genera::cpu
#endif
