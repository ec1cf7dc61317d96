// Parts of vectors, for the kernels of the matrix product. Included once per SIMD target.
#if defined(GENERA_GEMM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GENERA_GEMM_INL_H
#undef GENERA_GEMM_INL_H
#else
#define GENERA_GEMM_INL_H
#endif

#include <cstdint>
// Highway's header is per target too.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {

// Highway's MaskedLoad and BlendedStore touch whole vectors on targets without masked memory
// access: past the end of a matrix, or in what another thread writes. These touch the first `count`
// floats alone.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
inline constexpr bool kMaskedMemory = true;
#else
inline constexpr bool kMaskedMemory = false;
#endif

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> load_part(D d, const float* from, std::int64_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (kMaskedMemory) {
    return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, from);
  }
  alignas(64) float whole[hn::MaxLanes(D())] = {};
  for (std::int64_t i = 0; i < count; ++i) whole[i] = from[i];
  return hn::Load(d, whole);
}

template <class D>
HWY_INLINE void store_part(hwy::HWY_NAMESPACE::Vec<D> v, D d, float* to, std::int64_t count) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (kMaskedMemory) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, to);
    return;
  }
  alignas(64) float whole[hn::MaxLanes(D())];
  hn::Store(v, d, whole);
  for (std::int64_t i = 0; i < count; ++i) to[i] = whole[i];
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
