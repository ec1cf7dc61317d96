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

HWY_INLINE std::uint32_t random_word(std::uint64_t key, std::uint64_t index, bool uniform) {
  std::uint32_t word = philox::bits(key, index);
  if (uniform) {
    const float f = philox::uniform(word);
    std::memcpy(&word, &f, sizeof f);
  }
  return word;
}

#if HWY_TARGET == HWY_SCALAR
template <bool uniform>
void random_tile(void* tile, std::uint64_t key, std::uint64_t first, std::int64_t step,
                 std::size_t n) {
  auto* out = static_cast<std::uint32_t*>(tile);
  for (std::size_t i = 0; i < n; ++i, first += static_cast<std::uint64_t>(step))
    out[i] = random_word(key, first, uniform);
}
#else
using D64 = hn::RepartitionToWide<DU>;
using V64 = hn::Vec<D64>;

/// The round keys, which are the same for every block.
struct RoundKeys {
  VU k0[philox::rounds], k1[philox::rounds];
  HWY_INLINE explicit RoundKeys(std::uint64_t key) {
    auto low = static_cast<std::uint32_t>(key), high = static_cast<std::uint32_t>(key >> 32);
    for (int i = 0; i < philox::rounds; ++i) {
      k0[i] = hn::Set(DU(), low);
      k1[i] = hn::Set(DU(), high);
      low += philox::weyl_0;
      high += philox::weyl_1;
    }
  }
};

/// One block per 64-bit lane. Words live in the lower halves; what is in the upper halves does not
/// matter, because the widening product does not read it.
HWY_INLINE void philox_blocks(const RoundKeys& keys, V64 counter, VU (&x)[4]) {
  const DU d;
  x[0] = hn::BitCast(d, counter);
  x[1] = hn::Shuffle2301(x[0]);
  x[2] = x[3] = hn::Zero(d);
  const VU m0 = hn::Set(d, philox::multiplier_0), m1 = hn::Set(d, philox::multiplier_1);
  for (int round = 0; round < philox::rounds; ++round) {
    const VU p0 = hn::BitCast(d, hn::MulEven(x[0], m0));
    const VU p1 = hn::BitCast(d, hn::MulEven(x[2], m1));
    x[0] = hn::Xor(hn::Xor(hn::Shuffle2301(p1), x[1]), keys.k0[round]);
    x[1] = p1;
    x[2] = hn::Xor(hn::Xor(hn::Shuffle2301(p0), x[3]), keys.k1[round]);
    x[3] = p0;
  }
}

template <bool uniform>
HWY_INLINE VU finish_words(VU words) {
  if constexpr (!uniform) return words;
  const hn::Vec<DF> f = hn::ConvertTo(DF(), hn::BitCast(DI(), hn::ShiftRight<8>(words)));
  return as_bits(hn::Mul(f, hn::Set(DF(), 0x1p-24f)));
}

/// 2 Lanes(DU) words: blocks counter, counter + 1, ... in order.
template <bool uniform>
HWY_INLINE void random_block(const RoundKeys& keys, V64 counter, std::uint32_t* out) {
  const D64 d64;
  VU x[4];
  philox_blocks(keys, counter, x);
  const V64 first = hn::BitCast(d64, hn::OddEven(hn::Shuffle2301(x[1]), x[0]));
  const V64 second = hn::BitCast(d64, hn::OddEven(hn::Shuffle2301(x[3]), x[2]));
  // Even lanes hold the lower counters, odd lanes the upper ones: see random_tile.
  const VU low = hn::BitCast(DU(), hn::InterleaveLower(d64, first, second));
  const VU high = hn::BitCast(DU(), hn::InterleaveUpper(d64, first, second));
  hn::StoreU(finish_words<uniform>(low), DU(), out);
  hn::StoreU(finish_words<uniform>(high), DU(), out + lanes_of<DU>);
}

/// Elements first, first + step, ...: one block per element, of which one word is taken.
template <bool uniform>
void random_strided(std::uint32_t* out, const RoundKeys& keys, std::uint64_t first,
                    std::int64_t step, std::size_t n) {
  const D64 d64;
  constexpr std::size_t half = lanes_of<DU> / 2;
  HWY_ALIGN std::uint64_t offsets[half];
  for (std::size_t i = 0; i < half; ++i)
    offsets[i] = static_cast<std::uint64_t>(static_cast<std::int64_t>(2 * i) * step);
  const V64 offset = hn::Load(d64, offsets), three = hn::Set(d64, std::uint64_t{3});
  for (std::size_t i = 0; i < n; i += lanes_of<DU>) {
    VU words[2];
    for (std::uint64_t odd = 0; odd < 2; ++odd) {
      const std::uint64_t start = first + (i + odd) * static_cast<std::uint64_t>(step);
      const V64 index = hn::Add(hn::Set(d64, start), offset);
      VU x[4];
      philox_blocks(keys, hn::ShiftRight<2>(index), x);
      const VU lane = hn::BitCast(DU(), hn::And(index, three));
      VU word = x[0];
      for (std::uint32_t j = 1; j < 4; ++j)
        word = hn::IfThenElse(hn::Eq(lane, hn::Set(DU(), j)), x[j], word);
      words[odd] = word;
    }
    const VU y = finish_words<uniform>(hn::OddEven(hn::Shuffle2301(words[1]), words[0]));
    if (n - i >= lanes_of<DU>)
      hn::StoreU(y, DU(), out + i);
    else
      store_first(y, DU(), out + i, n - i);
  }
}

template <bool uniform>
void random_tile(void* tile, std::uint64_t key, std::uint64_t first, std::int64_t step,
                 std::size_t n) {
  const D64 d64;
  constexpr std::size_t counters = lanes_of<DU> / 2, block = 4 * counters;
  auto* out = static_cast<std::uint32_t*>(tile);
  if (n <= 2) {
    for (std::size_t i = 0; i < n; ++i)
      out[i] = random_word(key, first + i * static_cast<std::uint64_t>(step), uniform);
    return;
  }
  const RoundKeys keys(key);
  if (step != 1) return random_strided<uniform>(out, keys, first, step, n);
  HWY_ALIGN std::uint64_t order[counters];
  for (std::size_t i = 0; i < counters; ++i) order[i] = i / 2 + (i % 2) * (counters / 2);
  V64 counter = hn::Add(hn::Set(d64, first / 4), hn::Load(d64, order));
  const V64 next = hn::Set(d64, std::uint64_t{counters});
  HWY_ALIGN std::uint32_t words[block];
  std::size_t skip = first % 4;
  while (n > 0) {
    if (skip == 0 && n >= block) {
      random_block<uniform>(keys, counter, out);
      out += block;
      n -= block;
    } else {
      random_block<uniform>(keys, counter, words);
      const std::size_t count = n < block - skip ? n : block - skip;
      std::memcpy(out, words + skip, count * 4);
      out += count;
      n -= count;
      skip = 0;
    }
    counter = hn::Add(counter, next);
  }
}
#endif

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
