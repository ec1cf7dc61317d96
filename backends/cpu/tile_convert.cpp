// Kernels between storage types and lanes, and Philox random numbers.
#include "backends/cpu/tile_tables.h"
#include "engine/core/philox.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/tile_convert.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/tile_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {
namespace {

using VI = hn::Vec<DI>;
using VU = hn::Vec<DU>;
using VF = hn::Vec<DF>;

struct CopyWords {
  using D = DU;
  static HWY_INLINE VU apply(D, VU a) { return a; }
};
void copy_words(void* out, const void* in, std::size_t n) {
  unary_loop<CopyWords>(out, in, nullptr, nullptr, n);
}

/// Loads: C::widen(vector of storage) -> vector of lanes. Stores: C::narrow(lanes) -> storage.
template <class C>
void load_loop(void* tile, const void* source, std::size_t n) {
  using S = typename C::S;
  const hn::Rebind<S, DU> ds;
  constexpr std::size_t N = lanes_of<DU>;
  const auto* p = static_cast<const S*>(source);
  auto* o = static_cast<std::uint32_t*>(tile);
  std::size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(as_bits(C::widen(hn::LoadU(ds, p + i))), DU(), o + i);
  if (i < n) {
    HWY_ALIGN S rest[N] = {};
    std::memcpy(rest, p + i, (n - i) * sizeof(S));
    store_first(as_bits(C::widen(hn::Load(ds, rest))), DU(), o + i, n - i);
  }
}

template <class C>
void store_loop(void* destination, const void* tile, std::size_t n) {
  using S = typename C::S;
  const hn::Rebind<S, DU> ds;
  constexpr std::size_t N = lanes_of<DU>;
  auto* o = static_cast<S*>(destination);
  const auto* p = static_cast<const std::uint32_t*>(tile);
  std::size_t i = 0;
  for (; i + N <= n; i += N) hn::StoreU(C::narrow(hn::LoadU(DU(), p + i)), ds, o + i);
  if (i < n) {
    HWY_ALIGN S rest[N];
    hn::Store(C::narrow(load_first(DU(), p + i, n - i)), ds, rest);
    std::memcpy(o + i, rest, (n - i) * sizeof(S));
  }
}

struct BFloat16 {
  using S = std::uint16_t;
  template <class VS>
  static HWY_INLINE VU widen(VS v) {
    return hn::ShiftLeft<16>(hn::PromoteTo(DU(), v));
  }
  static HWY_INLINE auto narrow(VU v) {
    const VU one = hn::Set(DU(), 1u);
    const VU magnitude = hn::And(v, hn::Set(DU(), 0x7fffffffu));
    const VU odd = hn::And(hn::ShiftRight<16>(v), one);
    const VU rounded = hn::ShiftRight<16>(hn::Add(v, hn::Add(odd, hn::Set(DU(), 0x7fffu))));
    const VU quiet = hn::Or(hn::ShiftRight<16>(v), hn::Set(DU(), 0x40u));
    const auto nan = hn::Gt(hn::BitCast(DI(), magnitude), hn::Set(DI(), 0x7f800000));
    const VU y = hn::IfThenElse(hn::RebindMask(DU(), nan), quiet, rounded);
    return hn::DemoteTo(hn::Rebind<S, DI>(), hn::BitCast(DI(), y));
  }
};

struct UInt8 {
  using S = std::uint8_t;
  template <class VS>
  static HWY_INLINE VI widen(VS v) {
    return hn::PromoteTo(DI(), v);
  }
  static HWY_INLINE auto narrow(VU v) {
    return hn::DemoteTo(hn::Rebind<S, DI>(), hn::BitCast(DI(), hn::And(v, hn::Set(DU(), 0xffu))));
  }
};

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2
struct Float16 {
  using S = hwy::float16_t;
  template <class VS>
  static HWY_INLINE VF widen(VS v) {
    return hn::PromoteTo(DF(), v);
  }
  static HWY_INLINE auto narrow(VU v) {
    return hn::DemoteTo(hn::Rebind<S, DF>(), hn::BitCast(DF(), v));
  }
};
constexpr ConvertKernels float16_kernels() { return {load_loop<Float16>, store_loop<Float16>}; }
#else
void load_float16(void* tile, const void* source, std::size_t n) {
  const auto* p = static_cast<const float16*>(source);
  for (std::size_t i = 0; i < n; ++i) static_cast<float*>(tile)[i] = static_cast<float>(p[i]);
}
void store_float16(void* destination, const void* tile, std::size_t n) {
  const auto* p = static_cast<const float*>(tile);
  for (std::size_t i = 0; i < n; ++i) static_cast<float16*>(destination)[i] = float16(p[i]);
}
constexpr ConvertKernels float16_kernels() { return {load_float16, store_float16}; }
#endif

#if HWY_TARGET == HWY_SCALAR
template <bool uniform>
HWY_INLINE void random_block(std::uint32_t* out, std::uint64_t key, std::uint64_t counter) {
  for (std::uint64_t i = 0; i < 4; ++i) {
    out[i] = philox::bits(key, 4 * counter + i);
    if constexpr (uniform) {
      const float f = philox::uniform(out[i]);
      std::memcpy(out + i, &f, sizeof f);
    }
  }
}
#else
/// The upper and lower halves of a * m in every lane.
HWY_INLINE void multiply_wide(VU a, VU m, VU& high, VU& low) {
  const hn::RepartitionToWide<DU> d64;
  const auto even = hn::MulEven(a, m);
  const auto odd = hn::MulEven(hn::BitCast(DU(), hn::ShiftRight<32>(hn::BitCast(d64, a))), m);
  high = hn::OddEven(hn::BitCast(DU(), odd), hn::BitCast(DU(), hn::ShiftRight<32>(even)));
  low = hn::OddEven(hn::BitCast(DU(), hn::ShiftLeft<32>(odd)), hn::BitCast(DU(), even));
}

/// Philox blocks counter, counter + 1, ... one per lane.
HWY_INLINE void philox_blocks(std::uint64_t key, std::uint64_t counter, VU (&x)[4]) {
  const DU d;
  const auto low = static_cast<std::uint32_t>(counter),
             high = static_cast<std::uint32_t>(counter >> 32);
  const VU base = hn::Set(d, low);
  x[0] = hn::Add(base, hn::Iota(d, 0u));
  x[1] = hn::Add(hn::Set(d, high), hn::IfThenElseZero(hn::Lt(x[0], base), hn::Set(d, 1u)));
  x[2] = x[3] = hn::Zero(d);
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  const VU m0 = hn::Set(d, philox::multiplier_0), m1 = hn::Set(d, philox::multiplier_1);
  for (int round = 0; round < philox::rounds; ++round) {
    VU h0, l0, h1, l1;
    multiply_wide(x[0], m0, h0, l0);
    multiply_wide(x[2], m1, h1, l1);
    const VU y0 = hn::Xor(hn::Xor(h1, x[1]), hn::Set(d, k0));
    const VU y2 = hn::Xor(hn::Xor(h0, x[3]), hn::Set(d, k1));
    x[0] = y0;
    x[1] = l1;
    x[2] = y2;
    x[3] = l0;
    k0 += philox::weyl_0;
    k1 += philox::weyl_1;
  }
}

template <bool uniform>
HWY_INLINE void random_block(std::uint32_t* out, std::uint64_t key, std::uint64_t counter) {
  VU x[4];
  philox_blocks(key, counter, x);
  if constexpr (uniform) {
    for (VU& v : x) {
      const VF f = hn::ConvertTo(DF(), hn::BitCast(DI(), hn::ShiftRight<8>(v)));
      v = as_bits(hn::Mul(f, hn::Set(DF(), 0x1p-24f)));
    }
  }
  hn::StoreInterleaved4(x[0], x[1], x[2], x[3], DU(), out);
}
#endif

template <bool uniform>
void random_tile(void* tile, std::uint64_t key, std::uint64_t first, std::size_t n) {
  constexpr std::size_t block = 4 * lanes_of<DU>;
  auto* out = static_cast<std::uint32_t*>(tile);
  HWY_ALIGN std::uint32_t words[block];
  std::uint64_t counter = first / 4;
  std::size_t skip = first % 4;
  while (n > 0) {
    if (skip == 0 && n >= block) {
      random_block<uniform>(out, key, counter);
      out += block;
      n -= block;
    } else {
      random_block<uniform>(words, key, counter);
      const std::size_t count = n < block - skip ? n : block - skip;
      std::memcpy(out, words + skip, count * 4);
      out += count;
      n -= count;
      skip = 0;
    }
    counter += lanes_of<DU>;
  }
}

}  // namespace

void fill_convert(ConvertTable& t) {
  const auto set = [&t](DType dtype, ConvertKernels k) {
    t.kernels[static_cast<std::size_t>(dtype)] = k;
  };
  set(DType::f32, {copy_words, copy_words});
  set(DType::i32, {copy_words, copy_words});
  set(DType::u32, {copy_words, copy_words});
  set(DType::f16, float16_kernels());
  set(DType::bf16, {load_loop<BFloat16>, store_loop<BFloat16>});
  set(DType::u8, {load_loop<UInt8>, store_loop<UInt8>});
  set(DType::boolean, {load_loop<UInt8>, store_loop<UInt8>});
  t.random = {random_tile<false>, random_tile<true>};
}

}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace genera::cpu {

HWY_EXPORT(fill_convert);
void fill_convert_table(ConvertTable& t) { HWY_DYNAMIC_DISPATCH(fill_convert)(t); }

}  // namespace genera::cpu
#endif
