// Reductions, scans and sorting.
#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "backends/reference/strided_loop.h"

namespace genera::reference {
namespace {

/// Calls combine(total, x) for every element x of the input in memory order, where `total` is the
/// one of the reduced element that x belongs to.
template <class Total, class T, class Combine>
void reduce_into(const Arguments& call, Total* totals, const Combine& combine) {
  const Shape& space = call.input_shape(0);
  PerAxis kept = contiguous_strides(call.output_shape(0));
  for (int d = 0; d < space.rank(); ++d)
    if (call.as<ReduceAttrs>().axes >> d & 1) kept[static_cast<std::size_t>(d)] = 0;
  const StridedLoop<2> loop(space, {contiguous_strides(space), kept});
  const T* x = call.input<T>(0);
  loop.for_each_row({0, 0}, [&](const auto& at, std::int64_t count, const auto& step) {
    const T* row = x + at[0];
    if (step[1] == 0) {
      Total total = totals[at[1]];
      for (std::int64_t i = 0; i < count; ++i) total = combine(total, row[i]);
      totals[at[1]] = total;
    } else {
      Total* const row_totals = totals + at[1];
      for (std::int64_t i = 0; i < count; ++i) row_totals[i] = combine(row_totals[i], row[i]);
    }
  });
}

void compute_reduce_sum(const Arguments& call) {
  visit<Accepts::Numeric>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using Total = Accumulator<T>;
    const std::int64_t n = call.output_shape(0).elements();
    std::vector<Total> totals(static_cast<std::size_t>(n), Total{0});
    reduce_into<Total, T>(call, totals.data(),
                          [](Total total, T x) { return total + load_accumulator(x); });
    T* y = call.output<T>(0);
    for (std::int64_t i = 0; i < n; ++i) y[i] = store<T>(totals[static_cast<std::size_t>(i)]);
  });
}

/// The identity of maximum.
template <class T>
T lowest() {
  if constexpr (is_floating_element<T>) {
    return store<T>(-std::numeric_limits<float>::infinity());
  } else {
    return std::numeric_limits<T>::lowest();
  }
}

void compute_reduce_max(const Arguments& call) {
  visit<Accepts::Any>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    T* y = call.output<T>(0);
    std::fill_n(y, call.output_shape(0).elements(), lowest<T>());
    // Every result is one of the operands, so storage types lose nothing on the way.
    reduce_into<T, T>(call, y, [](T total, T x) { return store<T>(larger(load(total), load(x))); });
  });
}

void compute_arg_max(const Arguments& call) {
  int axis = 0;
  while (axis < Shape::max_rank - 1 && !(call.as<ReduceAttrs>().axes >> axis & 1)) ++axis;
  const AxisSplit split(call.input_shape(0), axis);
  if (split.extent == 0 && call.output_shape(0).elements() > 0)
    throw ArgumentError(fmt::format("[{}] axis {} of {} is empty", label(call.op), axis,
                                    to_string(call.input_shape(0))));
  visit<Accepts::Any>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    const T* x = call.input<T>(0);
    std::int32_t* best = call.output<std::int32_t>(0);
    std::fill_n(best, call.output_shape(0).elements(), 0);
    for (std::int64_t o = 0; o < split.outer; ++o, best += split.inner) {
      const T* const plane = x + o * split.extent * split.inner;
      for (std::int64_t j = 1; j < split.extent; ++j)
        for (std::int64_t i = 0; i < split.inner; ++i) {
          const auto now = load(plane[j * split.inner + i]);
          const auto before = load(plane[best[i] * split.inner + i]);
          if (now > before || (is_nan(now) && !is_nan(before)))
            best[i] = static_cast<std::int32_t>(j);
        }
    }
  });
}

/// log(exp(a) + exp(b)); -inf is the identity, NaN propagates.
double log_add_exp(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  const double high = std::max(a, b);
  if (std::isinf(high)) return high;
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

/// out[j] = combine(out[j - 1], x[j]) along the axis; the running value is a Total, rounded where
/// it is stored.
template <class Total, class T, class Combine>
void scan_along(const Arguments& call, const Combine& combine) {
  const auto& attrs = call.as<ScanAttrs>();
  const AxisSplit split(call.input_shape(0), attrs.axis);
  const T* x = call.input<T>(0);
  T* y = call.output<T>(0);
  std::vector<Total> totals(static_cast<std::size_t>(split.inner));
  for (std::int64_t o = 0; o < split.outer; ++o) {
    for (std::int64_t j = 0; j < split.extent; ++j) {
      const std::int64_t position = attrs.reverse ? split.extent - 1 - j : j;
      const std::int64_t row = (o * split.extent + position) * split.inner;
      for (std::int64_t i = 0; i < split.inner; ++i) {
        Total& total = totals[static_cast<std::size_t>(i)];
        const Total element = load_accumulator(x[row + i]);
        total = j == 0 ? element : combine(total, element);
        y[row + i] = store<T>(total);
      }
    }
  }
}

void compute_scan_along(const Arguments& call) {
  const DType dtype = call.inputs[0].dtype;
  switch (call.as<ScanAttrs>().kind) {
    case ScanAttrs::sum:
      return visit<Accepts::Numeric>(call.op, dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        scan_along<Accumulator<T>, T>(call, [](auto a, auto b) { return a + b; });
      });
    case ScanAttrs::max:
      return visit<Accepts::Numeric>(call.op, dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        // Signed integers come sign-extended to 64 bits, so that their order is that of i64.
        scan_along<Accumulator<T>, T>(call, [](auto a, auto b) {
          if constexpr (std::is_floating_point_v<decltype(a)>) {
            return larger(a, b);
          } else {
            return static_cast<std::int64_t>(a) > static_cast<std::int64_t>(b) ? a : b;
          }
        });
      });
    default:
      return visit<Accepts::Floating>(call.op, dtype, [&](auto type) {
        scan_along<double, typename decltype(type)::type>(call, log_add_exp);
      });
  }
}

template <class Key>
bool sorts_before(Key a, Key b) {
  return a < b || (is_nan(b) && !is_nan(a));
}

template <class Key>
void sort_positions(const std::vector<Key>& keys, std::vector<std::int32_t>& order) {
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return sorts_before(keys[static_cast<std::size_t>(a)], keys[static_cast<std::size_t>(b)]);
  });
}

void compute_arg_sort(const Arguments& call) {
  const AxisSplit split(call.input_shape(0), call.as<AxisAttrs>().axis);
  visit<Accepts::Any>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    // Exact for every T, and only two sorts are instantiated.
    using Key = std::conditional_t<is_floating_element<T>, double, std::int64_t>;
    std::vector<Key> keys(static_cast<std::size_t>(split.extent));
    std::vector<std::int32_t> order(keys.size());
    const T* x = call.input<T>(0);
    std::int32_t* y = call.output<std::int32_t>(0);
    for (std::int64_t o = 0; o < split.outer; ++o)
      for (std::int64_t i = 0; i < split.inner; ++i) {
        const std::int64_t base = o * split.extent * split.inner + i;
        for (std::size_t j = 0; j < keys.size(); ++j)
          keys[j] = static_cast<Key>(
              load_accumulator(x[base + static_cast<std::int64_t>(j) * split.inner]));
        sort_positions(keys, order);
        for (std::size_t j = 0; j < keys.size(); ++j)
          y[base + static_cast<std::int64_t>(j) * split.inner] = order[j];
      }
  });
}

}  // namespace

void compute_reduction(const Arguments& call) {
  switch (call.op) {
    case Op::ReduceSum:
      return compute_reduce_sum(call);
    case Op::ReduceMax:
      return compute_reduce_max(call);
    case Op::ArgMax:
      return compute_arg_max(call);
    default:
      throw_unsupported(call.op, call.inputs[0].dtype);
  }
}

void compute_scan(const Arguments& call) {
  if (call.op == Op::Scan) return compute_scan_along(call);
  compute_arg_sort(call);
}

}  // namespace genera::reference
