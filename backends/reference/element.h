/// How one element of each dtype is read, computed with and written, and the choice of a loop by
/// dtype.
#pragma once

#include <genera/dtype.h>
#include <genera/error.h>

#include "backends/reference/arithmetic.h"
#include "engine/graph/primitive.h"

#include <cstdint>
#include <type_traits>

namespace genera::reference {

/// The type that elementwise arithmetic on T uses.
template <class T>
struct compute_type {
  using type = T;
};
template <>
struct compute_type<float16> {
  using type = float;
};
template <>
struct compute_type<bfloat16> {
  using type = float;
};
template <>
struct compute_type<std::int32_t> {
  using type = Wrapping<std::int32_t>;
};
template <>
struct compute_type<std::int64_t> {
  using type = Wrapping<std::int64_t>;
};
template <>
struct compute_type<std::uint8_t> {
  using type = std::uint32_t;
};
template <class T>
using Compute = typename compute_type<T>::type;

template <class T>
inline constexpr bool is_floating_element =
    std::is_floating_point_v<T> || std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>;

/// The type that sums and dot products of T accumulate in: f64, or integers modulo 2^64, of which
/// every narrower wrapped sum is the low part.
template <class T>
using Accumulator = std::conditional_t<is_floating_element<T>, double, std::uint64_t>;

template <class T>
Compute<T> load(T value) {
  if constexpr (std::is_aggregate_v<Compute<T>>) {
    return {value};
  } else {
    return static_cast<Compute<T>>(value);
  }
}

/// Rounds or wraps an arithmetic result to T; to bool it is value != 0.
template <class T, class Value>
T store(Value value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_aggregate_v<Value>) {
    return static_cast<T>(value.value);
  } else if constexpr (std::is_same_v<T, float16> || std::is_same_v<T, bfloat16>) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
Accumulator<T> load_accumulator(T value) {
  if constexpr (std::is_floating_point_v<T> || std::is_integral_v<T>) {
    return static_cast<Accumulator<T>>(value);
  } else {
    return static_cast<float>(value);
  }
}

/// [operation] does not accept the dtype.
[[noreturn]] void throw_unsupported(Op op, DType dtype);

template <class T>
struct Type {
  using type = T;
};

/// Calls body(Type<T>{}) with the element type of `dtype`; throws ArgumentError if `accepts`
/// excludes it. Types that it excludes are not instantiated.
template <Accepts accepts, class Body>
void visit(Op op, DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body(Type<float>{});
    case DType::f64:
      return body(Type<double>{});
    case DType::f16:
      return body(Type<float16>{});
    case DType::bf16:
      return body(Type<bfloat16>{});
    default:
      break;
  }
  if constexpr (accepts != Accepts::Floating) {
    switch (dtype) {
      case DType::i32:
        return body(Type<std::int32_t>{});
      case DType::i64:
        return body(Type<std::int64_t>{});
      case DType::u8:
        return body(Type<std::uint8_t>{});
      case DType::u32:
        return body(Type<std::uint32_t>{});
      default:
        break;
    }
  }
  if constexpr (accepts == Accepts::Any) {
    if (dtype == DType::boolean) return body(Type<bool>{});
  }
  throw_unsupported(op, dtype);
}

}  // namespace genera::reference
