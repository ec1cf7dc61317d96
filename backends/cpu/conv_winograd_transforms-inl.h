// What the kernels of minimal filtering share. Included once per SIMD target.
#if defined(GENERA_CPU_CONV_WINOGRAD_TRANSFORMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GENERA_CPU_CONV_WINOGRAD_TRANSFORMS_INL_H_
#undef GENERA_CPU_CONV_WINOGRAD_TRANSFORMS_INL_H_
#else
#define GENERA_CPU_CONV_WINOGRAD_TRANSFORMS_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace genera::cpu::HWY_NAMESPACE {

// B^T d, one axis of the source's transform: kTaps + 1 pixels to as many points.
template <int kTaps, class V>
HWY_INLINE void transform_source(const V* d, V* v) {
  namespace hn = hwy::HWY_NAMESPACE;
  if constexpr (kTaps == 3) {
    v[0] = hn::Sub(d[0], d[2]);
    v[1] = hn::Add(d[1], d[2]);
    v[2] = hn::Sub(d[2], d[1]);
    v[3] = hn::Sub(d[1], d[3]);
  } else {
    v[0] = hn::Sub(d[0], d[1]);
    v[1] = d[1];
    v[2] = hn::Sub(d[1], d[2]);
  }
}

}  // namespace genera::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
