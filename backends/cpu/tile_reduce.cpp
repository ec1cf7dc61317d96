// Kernels of the reductions. The order of combination depends on lengths alone, never on the vector
// width: 64 lanes, folded as 4 groups of 16, then 16 lanes by halves. Missing elements are the
// neutral element, which changes no bit.
#include <limits>

#include "backends/cpu/tile_tables.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_reduce.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

struct SumF {
  using D = DF;
  static constexpr float identity = -0.0f;
  template <class Tag, class V>
  static HWY_INLINE V apply(Tag, V a, V b) {
    return hn::Add(a, b);
  }
};
struct SumI {
  using D = DI;
  static constexpr std::int32_t identity = 0;
  template <class Tag, class V>
  static HWY_INLINE V apply(Tag, V a, V b) {
    return hn::Add(a, b);
  }
};
struct MaxF {
  using D = DF;
  static constexpr float identity = -std::numeric_limits<float>::infinity();
  template <class Tag, class V>
  static HWY_INLINE V apply(Tag d, V a, V b) {
    return larger(d, a, b);
  }
};
struct MaxI {
  using D = DI;
  static constexpr std::int32_t identity = std::numeric_limits<std::int32_t>::min();
  template <class Tag, class V>
  static HWY_INLINE V apply(Tag, V a, V b) {
    return hn::Max(a, b);
  }
};
struct MaxU {
  using D = DU;
  static constexpr std::uint32_t identity = 0;
  template <class Tag, class V>
  static HWY_INLINE V apply(Tag, V a, V b) {
    return hn::Max(a, b);
  }
};

template <class R>
struct Reducer {
  using D = typename R::D;
  using T = hn::TFromD<D>;
  using V = hn::Vec<D>;
  static constexpr std::size_t N = lanes_of<D>;
  static constexpr std::size_t vectors = ReduceKernels::lanes / N;  // of a block of 64 lanes
  static constexpr std::size_t part = 16 / N;                       // of a group of 16 lanes

  static HWY_INLINE V partial(const T* p, std::size_t n) {
    const D d;
    if (n >= N) return hn::LoadU(d, p);
    return hn::IfThenElse(hn::FirstN(d, n), load_first(d, p, n), hn::Set(d, R::identity));
  }

  static HWY_INLINE void accumulate_vectors(V* acc, const T* p, std::size_t n) {
    const D d;
    std::size_t i = 0;
    for (; i + ReduceKernels::lanes <= n; i += ReduceKernels::lanes)
      for (std::size_t j = 0; j < vectors; ++j)
        acc[j] = R::apply(d, acc[j], hn::LoadU(d, p + i + j * N));
    for (std::size_t j = 0; j < vectors && i < n; ++j, i += N)
      acc[j] = R::apply(d, acc[j], partial(p + i, n - i));
  }

  /// Lane l with lane l + 8, then l + 4, l + 2, l + 1.
  template <class Tag>
  static HWY_INLINE T fold_vector(Tag d, hn::Vec<Tag> v) {
#if HWY_TARGET == HWY_SCALAR
    (void)d;
    return hn::GetLane(v);
#else
    if constexpr (hn::MaxLanes(Tag()) > 4) {
      const hn::Half<Tag> dh;
      return fold_vector(dh, R::apply(dh, hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
    } else {
      v = R::apply(d, v, hn::Shuffle1032(v));
      v = R::apply(d, v, hn::Shuffle2301(v));
      return hn::GetLane(v);
    }
#endif
  }

  static HWY_INLINE T fold_16(V* s) {
    const D d;
    for (std::size_t half = part / 2; half > 0; half /= 2)
      for (std::size_t j = 0; j < half; ++j) s[j] = R::apply(d, s[j], s[j + half]);
    return fold_vector(d, s[0]);
  }

  static HWY_INLINE T fold_64(const V* acc) {
    const D d;
    V s[part];
    for (std::size_t j = 0; j < part; ++j)
      s[j] = R::apply(d, R::apply(d, acc[j], acc[part + j]),
                      R::apply(d, acc[2 * part + j], acc[3 * part + j]));
    return fold_16(s);
  }

  static void rows(void* out, const void* tile, std::size_t count, std::size_t length) {
    const D d;
    auto* o = static_cast<T*>(out);
    const auto* p = static_cast<const T*>(tile);
    const V none = hn::Set(d, R::identity);
    if (length <= 16) {
      for (std::size_t k = 0; k < count; ++k, p += length) {
        V s[part];
        for (std::size_t j = 0; j < part; ++j)
          s[j] = j * N < length ? partial(p + j * N, length - j * N) : none;
        o[k] = fold_16(s);
      }
      return;
    }
    for (std::size_t k = 0; k < count; ++k, p += length) {
      V acc[vectors];
      for (V& v : acc) v = none;
      accumulate_vectors(acc, p, length);
      o[k] = fold_64(acc);
    }
  }

  static void accumulate(void* lanes, const void* tile, std::size_t n) {
    const D d;
    auto* l = static_cast<T*>(lanes);
    V acc[vectors];
    for (std::size_t j = 0; j < vectors; ++j) acc[j] = hn::LoadU(d, l + j * N);
    accumulate_vectors(acc, static_cast<const T*>(tile), n);
    for (std::size_t j = 0; j < vectors; ++j) hn::StoreU(acc[j], d, l + j * N);
  }

  static void fold(void* out, const void* lanes) {
    const D d;
    const auto* l = static_cast<const T*>(lanes);
    V acc[vectors];
    for (std::size_t j = 0; j < vectors; ++j) acc[j] = hn::LoadU(d, l + j * N);
    *static_cast<T*>(out) = fold_64(acc);
  }

  static void columns(void* groups, const void* tile, std::size_t first, std::size_t count,
                      std::size_t width, std::size_t pitch) {
    const auto* p = static_cast<const T*>(tile);
    for (std::size_t j = 0; j < count; ++j, p += width) {
      T* acc = static_cast<T*>(groups) + ((first + j) % ReduceKernels::groups) * pitch;
      binary_loop<R, 0>(acc, acc, p, nullptr, width);
    }
  }
};

template <class R>
ReduceKernels kernels() {
  using T = hn::TFromD<typename R::D>;
  ReduceKernels k{};
  k.rows = Reducer<R>::rows;
  k.accumulate = Reducer<R>::accumulate;
  k.fold = Reducer<R>::fold;
  k.columns = Reducer<R>::columns;
  k.combine = binary_loop<R, 0>;
  const T identity = R::identity;
  std::memcpy(&k.identity, &identity, sizeof identity);
  return k;
}

}  // namespace

void fill_reduce(ReduceTable& t) {
  t.kernels[0] = {kernels<SumF>(), kernels<MaxF>()};
  t.kernels[1] = {kernels<SumI>(), kernels<MaxI>()};
  t.kernels[2] = {kernels<SumI>(), kernels<MaxU>()};
}

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_reduce);
void fill_reduce_table(ReduceTable& t) { HWY_DYNAMIC_DISPATCH(fill_reduce)(t); }

}  // namespace genera::cpu
#endif
