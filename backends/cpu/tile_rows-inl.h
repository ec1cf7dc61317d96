// The height of a register tile of floats, for matrix products and convolutions alike. Included once
// per SIMD target.
#if defined(GENERA_CPU_TILE_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GENERA_CPU_TILE_ROWS_INL_H_
#undef GENERA_CPU_TILE_ROWS_INL_H_
#else
#define GENERA_CPU_TILE_ROWS_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {

// Two vectors of accumulators a row, one row of the other operand and one broadcast must fit into
// the registers: 32 on AVX-512 and NEON, else 16.
#if HWY_TARGET == HWY_AVX3
inline constexpr int kRows = 14;
#elif HWY_TARGET == HWY_NEON
inline constexpr int kRows = 12;
#else
inline constexpr int kRows = 6;
#endif

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#endif  // GENERA_CPU_TILE_ROWS_INL_H_
