// Primitives without tensor inputs: literals, indices and random numbers.
#include <genera/error.h>

#include <fmt/format.h>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "engine/core/philox.h"
#include "engine/graph/attributes.h"

namespace genera::reference {
namespace {

void compute_const(const Arguments& call) {
  const auto& attrs = call.as<ConstAttrs>();
  visit<Accepts::Any>(call.op, call.outputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const std::int64_t n = call.output_shape(0).elements();
    T* y = call.output<T>(0);
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (is_floating_element<T>) {
        y[i] = store<T>(attrs.floating);
      } else {
        y[i] = store<T>(attrs.integer);
      }
    }
  });
}

void compute_iota(const Arguments& call) {
  const AxisSplit split(call.output_shape(0), call.as<IotaAttrs>().axis);
  visit<Accepts::Numeric>(call.op, call.outputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* y = call.output<T>(0);
    for (std::int64_t o = 0; o < split.outer; ++o)
      for (std::int64_t j = 0; j < split.extent; ++j)
        for (std::int64_t i = 0; i < split.inner; ++i) *y++ = store<T>(j);
  });
}

/// out[i] = convert(lane i%4 of counter i/4)
template <class T, class Convert>
void fill_random(const Arguments& call, const Convert& convert) {
  const auto key = static_cast<std::uint64_t>(*call.input<std::int64_t>(0));
  const std::int64_t n = call.output_shape(0).elements();
  T* y = call.output<T>(0);
  for (std::int64_t i = 0; i < n; i += 4) {
    const auto block = philox::block(
        {static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>((i / 4) >> 32), 0, 0},
        {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
    for (std::int64_t lane = 0; lane < 4 && i + lane < n; ++lane)
      y[i + lane] = convert(block[static_cast<std::size_t>(lane)]);
  }
}

void compute_random(const Arguments& call) {
  if (call.inputs[0].dtype != DType::i64)
    throw ArgumentError(
        fmt::format("[random] the key must be i64, got {}", name(call.inputs[0].dtype)));
  const DType dtype = call.outputs[0].dtype;
  const bool bits = call.as<RandomAttrs>().kind == RandomAttrs::bits;
  if (bits && dtype == DType::u32) {
    fill_random<std::uint32_t>(call, [](std::uint32_t word) { return word; });
  } else if (!bits && dtype == DType::f32) {
    fill_random<float>(call, philox::uniform);
  } else if (!bits && dtype == DType::f64) {
    fill_random<double>(call, philox::uniform);
  } else {
    throw_unsupported(call.op, dtype);
  }
}

}  // namespace

void compute_create(const Arguments& call) {
  switch (call.op) {
    case Op::Const:
      return compute_const(call);
    case Op::Iota:
      return compute_iota(call);
    case Op::Random:
      return compute_random(call);
    default:
      throw ArgumentError(fmt::format("[{}] is not computed by a kernel", label(call.op)));
  }
}

}  // namespace genera::reference
