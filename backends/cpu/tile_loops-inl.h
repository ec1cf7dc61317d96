// Loops over tiles that turn a function on vectors into a tile kernel. Included once per target.
#if defined(GENERA_CPU_TILE_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GENERA_CPU_TILE_LOOPS_INL_H_
#undef GENERA_CPU_TILE_LOOPS_INL_H_
#else
#define GENERA_CPU_TILE_LOOPS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "backends/cpu/masked-inl.h"
#include "backends/cpu/tile_tables.h"

HWY_BEFORE_NAMESPACE();
namespace genera::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using DI = hn::CappedTag<std::int32_t, 16>;
using DU = hn::CappedTag<std::uint32_t, 16>;

using VF = hn::Vec<DF>;
using VI = hn::Vec<DI>;
using VU = hn::Vec<DU>;

template <class D>
inline constexpr std::size_t lanes_of = hn::MaxLanes(D());

/// An operand of a tile kernel: an array or one value.
template <class D, bool single>
struct Operand {
  using T = hn::TFromD<D>;
  const T* p;
  HWY_INLINE explicit Operand(const void* pointer) : p(static_cast<const T*>(pointer)) {}
  HWY_INLINE hn::Vec<D> at(std::size_t i) const { return hn::LoadU(D(), p + i); }
  HWY_INLINE hn::Vec<D> first(std::size_t i, std::size_t n) const {
    return load_first(D(), p + i, n);
  }
};

template <class D>
struct Operand<D, true> {
  using T = hn::TFromD<D>;
  hn::Vec<D> v;
  HWY_INLINE explicit Operand(const void* pointer)
      : v(hn::Set(D(), *static_cast<const T*>(pointer))) {}
  HWY_INLINE hn::Vec<D> at(std::size_t) const { return v; }
  HWY_INLINE hn::Vec<D> first(std::size_t, std::size_t) const { return v; }
};

template <class V>
HWY_INLINE hn::Vec<DU> as_bits(V v) {
  return hn::BitCast(DU(), v);
}

// The loops are unrolled: of a short function, counting elements would be a good share.

/// F::apply(d, a) on every element; F::D is the operands' type.
template <class F, bool single = false>
void unary_loop(void* out, const void* a, const void*, const void*, std::size_t n) {
  using D = typename F::D;
  constexpr std::size_t N = lanes_of<D>;
  auto* o = static_cast<std::uint32_t*>(out);
  const Operand<D, single> x(a);
  std::size_t i = 0;
#pragma GCC unroll 4
  for (; i + N <= n; i += N) hn::StoreU(as_bits(F::apply(D(), x.at(i))), DU(), o + i);
  if (i < n) store_first(as_bits(F::apply(D(), x.first(i, n - i))), DU(), o + i, n - i);
}

template <class F, unsigned single>
void binary_loop(void* out, const void* a, const void* b, const void*, std::size_t n) {
  using D = typename F::D;
  constexpr std::size_t N = lanes_of<D>;
  auto* o = static_cast<std::uint32_t*>(out);
  const Operand<D, (single & 1) != 0> x(a);
  const Operand<D, (single & 2) != 0> y(b);
  std::size_t i = 0;
#pragma GCC unroll 4
  for (; i + N <= n; i += N) hn::StoreU(as_bits(F::apply(D(), x.at(i), y.at(i))), DU(), o + i);
  if (i < n) {
    const std::size_t rest = n - i;
    store_first(as_bits(F::apply(D(), x.first(i, rest), y.first(i, rest))), DU(), o + i, rest);
  }
}

template <class F, unsigned single>
void ternary_loop(void* out, const void* a, const void* b, const void* c, std::size_t n) {
  using D = typename F::D;
  constexpr std::size_t N = lanes_of<D>;
  auto* o = static_cast<std::uint32_t*>(out);
  const Operand<D, (single & 1) != 0> x(a);
  const Operand<D, (single & 2) != 0> y(b);
  const Operand<D, (single & 4) != 0> z(c);
  std::size_t i = 0;
#pragma GCC unroll 4
  for (; i + N <= n; i += N)
    hn::StoreU(as_bits(F::apply(D(), x.at(i), y.at(i), z.at(i))), DU(), o + i);
  if (i < n) {
    const std::size_t rest = n - i;
    store_first(as_bits(F::apply(D(), x.first(i, rest), y.first(i, rest), z.first(i, rest))), DU(),
                o + i, rest);
  }
}

/// max as Genera defines it: (a != a || a > b) ? a : b.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V larger(D, V a, V b) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  return hn::IfThenElse(hn::IsNaN(a), a, hn::Max(a, b));  // maxps is a > b ? a : b
#else
  return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::Gt(a, b)), a, b);
#endif
}

/// Comparisons give 1 or 0.
template <class M>
HWY_INLINE hn::Vec<DI> zero_or_one(M mask) {
  return hn::IfThenElseZero(hn::RebindMask(DI(), mask), hn::Set(DI(), 1));
}

// Each file that defines kernels sees its own only: hence no linkage.
namespace {

/// The kernel of an opcode, defined by the macros of tile_macros.h.
template <TileOp op>
struct Tile;

template <class F, std::size_t... single>
void set_loops(TileTable& t, TileOp op, std::index_sequence<single...>) {
  if constexpr (F::operands == 1) ((t.at(op, single) = unary_loop<F>), ...);
  if constexpr (F::operands == 2) ((t.at(op, single) = binary_loop<F, single>), ...);
  if constexpr (F::operands == 3) ((t.at(op, single) = ternary_loop<F, single>), ...);
}

template <TileOp op>
void set_kernel(TileTable& t) {
  if constexpr (requires { typename Tile<op>::Kernel; }) {
    using F = typename Tile<op>::Kernel;
    // Not all operands are single values.
    set_loops<F>(t, op, std::make_index_sequence<(1 << F::operands) - 1>());
  }
}

/// Enters all kernels that this file has defined.
template <std::size_t... op>
void set_kernels(TileTable& t, std::index_sequence<op...>) {
  (set_kernel<static_cast<TileOp>(op)>(t), ...);
}
inline void set_kernels(TileTable& t) { set_kernels(t, std::make_index_sequence<tile_op_count>()); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace genera::cpu
HWY_AFTER_NAMESPACE();

#endif  // GENERA_CPU_TILE_LOOPS_INL_H_
