// Elementwise primitives. All inputs have the output's shape; the arithmetic is the `reference`
// column of the table.
#include <cmath>
#include <limits>
#include <type_traits>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"

namespace genera::reference {
namespace {

/// y = f(x), and z = f(x, y) and so on below; the output's dtype may differ from the inputs' only
/// by being bool.
template <Accepts accepts, class Function>
void map_unary(const Arguments& call, const Function& function) {
  visit<accepts>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = call.output_shape(0).elements();
    const T* x = call.input<T>(0);
    T* y = call.output<T>(0);
    for (std::int64_t i = 0; i < n; ++i) y[i] = store<T>(function(load(x[i])));
  });
}

template <class T, class Result, class Function>
void map_binary_to(const Arguments& call, const Function& function) {
  const std::int64_t n = call.output_shape(0).elements();
  const T* a = call.input<T>(0);
  const T* b = call.input<T>(1);
  Result* y = call.output<Result>(0);
  for (std::int64_t i = 0; i < n; ++i) y[i] = store<Result>(function(load(a[i]), load(b[i])));
}

template <Accepts accepts, class Function>
void map_binary(const Arguments& call, const Function& function) {
  visit<accepts>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using Value = decltype(function(Compute<T>{}, Compute<T>{}));
    // Comparisons are the rows whose expression is a bool.
    using Result = std::conditional_t<std::is_same_v<Value, bool>, bool, T>;
    map_binary_to<T, Result>(call, function);
  });
}

/// The first input is of the others' type, or bool (Select).
template <Accepts accepts, class Function>
void map_ternary(const Arguments& call, const Function& function) {
  visit<accepts>(call.op, call.inputs[1].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = call.output_shape(0).elements();
    const T* b = call.input<T>(1);
    const T* c = call.input<T>(2);
    T* y = call.output<T>(0);
    const auto loop = [&](const auto* a) {
      for (std::int64_t i = 0; i < n; ++i)
        y[i] = store<T>(function(load(a[i]), load(b[i]), load(c[i])));
    };
    if constexpr (accepts == Accepts::Any) {
      loop(call.input<bool>(0));
    } else {
      loop(call.input<T>(0));
    }
  });
}

/// Truncates towards zero; out of range gives the nearest representable integer, NaN gives 0.
template <class Integer, class Floating>
Integer saturate(Floating x) {
  using Limits = std::numeric_limits<Integer>;
  if (std::isnan(x)) return 0;
  if (x <= static_cast<Floating>(Limits::min())) return Limits::min();
  // max + 1 is a power of two, exact in every floating type; max itself may not be.
  if (x >= std::ldexp(Floating(1), Limits::digits)) return Limits::max();
  return static_cast<Integer>(x);
}

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<To, bool>) {
    return load(x) != Compute<From>{};
  } else if constexpr (is_floating_element<From> && std::is_integral_v<To>) {
    return saturate<To>(load(x));
  } else if constexpr (is_floating_element<From>) {
    return store<To>(load(x));
  } else {
    return store<To>(x);
  }
}

}  // namespace

void compute_elementwise(const Arguments& call) {
  switch (call.op) {
#define GENERA_UNARY(Name, function, types, reference, ...) \
  case Op::Name:                                            \
    return map_unary<Accepts::types>(call, [](auto x) { return reference; });
#define GENERA_BINARY(Name, function, types, reference, ...) \
  case Op::Name:                                             \
    return map_binary<Accepts::types>(call, [](auto a, auto b) { return reference; });
#define GENERA_TERNARY(Name, function, types, reference, ...) \
  case Op::Name:                                              \
    return map_ternary<Accepts::types>(call, [](auto a, auto b, auto c) { return reference; });
#include "engine/graph/primitives.def"
    default:
      throw_unsupported(call.op, call.outputs[0].dtype);
  }
}

void compute_cast(const Arguments& call) {
  visit<Accepts::Any>(call.op, call.inputs[0].dtype, [&](auto from) {
    visit<Accepts::Any>(call.op, call.outputs[0].dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      const std::int64_t n = call.output_shape(0).elements();
      const From* x = call.input<From>(0);
      To* y = call.output<To>(0);
      for (std::int64_t i = 0; i < n; ++i) y[i] = convert<To>(x[i]);
    });
  });
}

}  // namespace genera::reference
