// Parts of vectors in memory. Included once per SIMD target.
//
// Highway's MaskedLoad and BlendedStore touch whole vectors on targets without masked memory
// access: beyond the end of an array, or in what another thread writes. These touch the wanted
// elements alone, on every target.
#if defined(GENERA_CPU_MASKED_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GENERA_CPU_MASKED_INL_H_
#undef GENERA_CPU_MASKED_INL_H_
#else
#define GENERA_CPU_MASKED_INL_H_
#endif

#include <hwy/highway.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET <= HWY_AVX2 && HWY_ARCH_X86
inline constexpr bool masked_memory = true;
#else
inline constexpr bool masked_memory = false;
#endif

/// The first n <= Lanes(d) values at p, the others zero.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, std::integral auto n) {
  const auto count = static_cast<std::size_t>(n);
  if constexpr (masked_memory) {
    return hn::MaskedLoad(hn::FirstN(d, count), d, p);
  } else {
    HWY_ALIGN T whole[hn::MaxLanes(D())] = {};
    std::memcpy(whole, p, count * sizeof(T));
    return hn::Load(d, whole);
  }
}

/// Stores the first n <= Lanes(d) values at p.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, std::integral auto n) {
  const auto count = static_cast<std::size_t>(n);
  if constexpr (masked_memory) {
    hn::BlendedStore(v, hn::FirstN(d, count), d, p);
  } else {
    HWY_ALIGN T whole[hn::MaxLanes(D())];
    hn::Store(v, d, whole);
    std::memcpy(p, whole, count * sizeof(T));
  }
}

/// Calls visit(lane) for every lane of the mask.
template <class D, class Visit>
HWY_INLINE void for_lanes(D d, hn::Mask<D> mask, const Visit& visit) {
  std::uint8_t bits[8] = {};  // StoreMaskBits writes up to 8 bytes
  hn::StoreMaskBits(d, mask, bits);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i)
    if ((bits[i / 8] >> (i % 8)) & 1) visit(i);
}

/// The values at p where the mask holds, else zero.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_where(hn::Mask<D> mask, D d, const T* p) {
  if constexpr (masked_memory) {
    return hn::MaskedLoad(mask, d, p);
  } else {
    HWY_ALIGN T whole[hn::MaxLanes(D())] = {};
    for_lanes(d, mask, [&](std::size_t i) { whole[i] = p[i]; });
    return hn::Load(d, whole);
  }
}

/// Stores the values where the mask holds.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_where(hn::Vec<D> v, hn::Mask<D> mask, D d, T* p) {
  if constexpr (masked_memory) {
    hn::BlendedStore(v, mask, d, p);
  } else {
    HWY_ALIGN T whole[hn::MaxLanes(D())];
    hn::Store(v, d, whole);
    for_lanes(d, mask, [&](std::size_t i) { p[i] = whole[i]; });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#endif  // GENERA_CPU_MASKED_INL_H_
