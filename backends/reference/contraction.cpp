// Matrix products and convolutions. Operands are widened to the accumulator type first, so that one
// loop nest serves every dtype.
#include <algorithm>
#include <array>
#include <vector>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "engine/graph/attributes.h"

namespace genera::reference {
namespace {

/// y (rows, columns) += a (rows, depth) x b (depth, columns)
template <class Total>
void add_product(std::int64_t rows, std::int64_t depth, std::int64_t columns, const Total* a,
                 const Total* b, Total* y) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < depth; ++k) {
      const Total factor = a[i * depth + k];
      const Total* const b_row = b + k * columns;
      Total* const y_row = y + i * columns;
      for (std::int64_t j = 0; j < columns; ++j) y_row[j] += factor * b_row[j];
    }
}

template <class Total, class T>
void widen(const T* x, std::int64_t count, std::vector<Total>& to) {
  to.resize(static_cast<std::size_t>(count));
  std::transform(x, x + count, to.begin(),
                 [](T value) -> Total { return load_accumulator(value); });
}

template <class T>
void multiply_batches(const Arguments& call) {
  using Total = Accumulator<T>;
  const Shape& shape = call.output_shape(0);
  const int rank = shape.rank();
  const std::int64_t rows = shape[rank - 2];
  const std::int64_t columns = shape[rank - 1];
  const std::int64_t depth = call.input_shape(0)[rank - 1];
  std::int64_t batches = 1;
  for (int d = 0; d < rank - 2; ++d) batches *= shape[d];

  std::vector<Total> a, b, y;
  for (std::int64_t n = 0; n < batches; ++n) {
    widen(call.input<T>(0) + n * rows * depth, rows * depth, a);
    widen(call.input<T>(1) + n * depth * columns, depth * columns, b);
    y.assign(static_cast<std::size_t>(rows * columns), Total{0});
    add_product(rows, depth, columns, a.data(), b.data(), y.data());
    std::transform(y.begin(), y.end(), call.output<T>(0) + n * rows * columns,
                   [](Total total) { return store<T>(total); });
  }
}

/// Extents of a convolution with three spatial axes; missing ones lead with extent 1.
struct ConvSpace {
  std::int64_t batch, groups;
  std::int64_t in_channels, out_channels;  ///< per group
  std::array<std::int64_t, 3> in{1, 1, 1}, kernel{1, 1, 1}, out{1, 1, 1};
  std::array<std::int64_t, 3> stride{1, 1, 1}, pad{0, 0, 0}, dilation{1, 1, 1};

  ConvSpace(const ConvAttrs& attrs, const Shape& x, const Shape& w, const Shape& y)
      : batch(x[0]), groups(attrs.groups), in_channels(w[1]), out_channels(w[0] / attrs.groups) {
    const auto missing = static_cast<std::size_t>(3 - attrs.spatial);
    for (std::size_t d = missing; d < 3; ++d) {
      const std::size_t given = d - missing;
      const int axis = static_cast<int>(given) + 2;
      in[d] = x[axis];
      kernel[d] = w[axis];
      out[d] = y[axis];
      stride[d] = attrs.stride[given];
      pad[d] = attrs.pad_lo[given];
      dilation[d] = attrs.dilation[given];
    }
  }

  /// Position in x that output position `o` reads with kernel element `k`; outside [0, in) there
  /// are zeros.
  std::int64_t source(std::size_t axis, std::int64_t o, std::int64_t k) const {
    return o * stride[axis] + k * dilation[axis] - pad[axis];
  }
};

/// Calls row(y, w, x, count) with element offsets such that the trilinear form is the sum over all
/// calls and all i in [0, count) of y[y + i] * w[w] * x[x + i * stride[2]]; terms that lie in the
/// padding are left out.
template <class Row>
void for_each_conv_row(const ConvSpace& s, const Row& row) {
  const auto spatial_rows = [&](std::int64_t y, std::int64_t w, std::int64_t x) {
    for (std::int64_t k0 = 0; k0 < s.kernel[0]; ++k0)
      for (std::int64_t k1 = 0; k1 < s.kernel[1]; ++k1)
        for (std::int64_t k2 = 0; k2 < s.kernel[2]; ++k2) {
          const std::int64_t first = s.source(2, 0, k2);
          const std::int64_t begin = first < 0 ? (-first + s.stride[2] - 1) / s.stride[2] : 0;
          const std::int64_t room = s.in[2] - 1 - first;
          const std::int64_t end = room < 0 ? 0 : std::min(s.out[2], room / s.stride[2] + 1);
          if (begin >= end) continue;
          const std::int64_t w_at = w + (k0 * s.kernel[1] + k1) * s.kernel[2] + k2;
          for (std::int64_t o0 = 0; o0 < s.out[0]; ++o0) {
            const std::int64_t i0 = s.source(0, o0, k0);
            if (i0 < 0 || i0 >= s.in[0]) continue;
            for (std::int64_t o1 = 0; o1 < s.out[1]; ++o1) {
              const std::int64_t i1 = s.source(1, o1, k1);
              if (i1 < 0 || i1 >= s.in[1]) continue;
              row(y + (o0 * s.out[1] + o1) * s.out[2] + begin, w_at,
                  x + (i0 * s.in[1] + i1) * s.in[2] + first + begin * s.stride[2], end - begin);
            }
          }
        }
  };
  const std::int64_t x_plane = s.in[0] * s.in[1] * s.in[2];
  const std::int64_t w_plane = s.kernel[0] * s.kernel[1] * s.kernel[2];
  const std::int64_t y_plane = s.out[0] * s.out[1] * s.out[2];
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t g = 0; g < s.groups; ++g)
      for (std::int64_t o = 0; o < s.out_channels; ++o)
        for (std::int64_t i = 0; i < s.in_channels; ++i) {
          const std::int64_t out_channel = g * s.out_channels + o;
          spatial_rows((n * s.groups * s.out_channels + out_channel) * y_plane,
                       (out_channel * s.in_channels + i) * w_plane,
                       ((n * s.groups + g) * s.in_channels + i) * x_plane);
        }
}

/// Fills the factor that the role leaves out from the other two.
template <class Total>
void convolve(const ConvSpace& space, ConvAttrs::Role role, Total* x, Total* w, Total* y) {
  const std::int64_t stride = space.stride[2];
  for_each_conv_row(
      space, [&](std::int64_t y_at, std::int64_t w_at, std::int64_t x_at, std::int64_t count) {
        Total* const y_row = y + y_at;
        Total* const x_row = x + x_at;
        Total& weight = w[w_at];
        if (role == ConvAttrs::out) {
          const Total factor = weight;
          for (std::int64_t i = 0; i < count; ++i) y_row[i] += factor * x_row[i * stride];
        } else if (role == ConvAttrs::grad_input) {
          const Total factor = weight;
          for (std::int64_t i = 0; i < count; ++i) x_row[i * stride] += factor * y_row[i];
        } else {
          Total sum = weight;
          for (std::int64_t i = 0; i < count; ++i) sum += y_row[i] * x_row[i * stride];
          weight = sum;
        }
      });
}

template <class T>
void convolve_role(const Arguments& call) {
  using Total = Accumulator<T>;
  const auto& attrs = call.as<ConvAttrs>();
  const auto role = static_cast<ConvAttrs::Role>(attrs.role);
  std::vector<Total> first, second;
  widen(call.input<T>(0), call.input_shape(0).elements(), first);
  widen(call.input<T>(1), call.input_shape(1).elements(), second);
  std::vector<Total> result(static_cast<std::size_t>(call.output_shape(0).elements()), Total{0});

  const Shape& a = call.input_shape(0);
  const Shape& b = call.input_shape(1);
  const Shape& c = call.output_shape(0);
  switch (role) {
    case ConvAttrs::out:
      convolve(ConvSpace(attrs, a, b, c), role, first.data(), second.data(), result.data());
      break;
    case ConvAttrs::grad_input:
      convolve(ConvSpace(attrs, c, b, a), role, result.data(), second.data(), first.data());
      break;
    case ConvAttrs::grad_weight:
      convolve(ConvSpace(attrs, a, c, b), role, first.data(), result.data(), second.data());
      break;
  }
  std::transform(result.begin(), result.end(), call.output<T>(0),
                 [](Total total) { return store<T>(total); });
}

}  // namespace

void compute_matmul(const Arguments& call) {
  visit<Accepts::Numeric>(call.op, call.inputs[0].dtype, [&](auto type) {
    multiply_batches<typename decltype(type)::type>(call);
  });
}

void compute_conv(const Arguments& call) {
  visit<Accepts::Numeric>(call.op, call.inputs[0].dtype,
                          [&](auto type) { convolve_role<typename decltype(type)::type>(call); });
}

}  // namespace genera::reference
