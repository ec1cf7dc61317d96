/// What a node holds besides its inputs, one struct per primitive that needs it. All are plain data without
/// padding bytes, so that a plan's key can hold them as they are; unused array entries are zero.
#pragma once

#include <genera/shape.h>

#include <array>
#include <cstdint>
#include <type_traits>

namespace genera {

/// One entry per axis.
using PerAxis = std::array<std::int64_t, Shape::max_rank>;

/// Const: the literal in every element, as f64 for floating types and as i64 for the others (bool: 0 or 1).
struct ConstAttrs {
  double floating;
  std::int64_t integer;
};

/// Iota: element [i0,i1,…] is i_axis. i32 or floating.
struct IotaAttrs {
  std::int64_t axis;
};

/// Random(key): Philox4x32-10; element i (row-major) is lane i%4 of counter i/4 under the 64-bit key (a 0-d i64).
struct RandomAttrs {
  enum Kind : std::int64_t {
    bits,     ///< u32, uniform over all values
    uniform,  ///< f32 in [0,1): the top 24 bits times 2^-24
  };
  std::int64_t kind;
};

/// ReduceSum, ReduceMax, ArgMax: bit a set where axis a is reduced (ArgMax: exactly one bit).
struct ReduceAttrs {
  std::uint64_t axes;
};

/// Scan along one axis, inclusive.
struct ScanAttrs {
  enum Kind : std::int64_t { sum, max, log_add_exp };
  std::int64_t kind;
  std::int64_t axis;
  std::int64_t reverse;  ///< 1: from the last element to the first
};

/// ArgSort along one axis.
struct AxisAttrs {
  std::int64_t axis;
};

/// Permute: output axis d is input axis axes[d].
struct PermuteAttrs {
  PerAxis axes;
};

/// Slice: output element [i…] is x[start + i*step…]; steps are not 0 and may be negative. With a second input (i32,
/// one number per axis) that one is the start instead, clamped so that the slice lies inside x; steps are then 1.
struct SliceAttrs {
  PerAxis start;
  PerAxis step;
};

/// Pad: lo and hi (>= 0) elements around each axis and `interior` elements between neighbours, all of value 0.
struct PadAttrs {
  PerAxis lo;
  PerAxis hi;
  PerAxis interior;
};

/// Concat along an axis. plus_zero: 0 is added to every element, which turns -0 into +0 (what a sum of padded parts gives).
struct ConcatAttrs {
  std::int64_t axis;
  std::int64_t plus_zero;
};

/// Window: slides a window over `count` axes of x. The output has x's axes, where axes[k] now counts window positions,
/// followed by `count` axes of extent size[k]: out[…, p_k, …, j_k] = x[…, p_k*stride[k] + j_k*dilation[k], …].
/// Fold: the adjoint. Its input has Window's output shape, its output x's shape.
struct WindowAttrs {
  std::int64_t count;
  PerAxis axes;
  PerAxis size;
  PerAxis stride;
  PerAxis dilation;
};

/// Gather: out = x[:axis] + indices + x[axis+1:], the row indices[…] of x along axis. i32 indices in [0, extent).
struct GatherAttrs {
  std::int64_t axis;
};

/// ScatterAdd: base with updates (of the shape Gather gives) added to, or set at, the rows `indices` along axis.
struct ScatterAttrs {
  enum Mode : std::int64_t { add, set };
  std::int64_t axis;
  std::int64_t mode;
};

/// SliceUpdate: x with `update` written at start (or at the third input, i32, one number per axis, clamped).
struct SliceUpdateAttrs {
  PerAxis start;
};

/// Conv over 1 to 3 spatial axes: x (N,Cin,S…), w (Cout,Cin/groups,K…), y (N,Cout,O…), the trilinear form
/// T(x,w,y) = sum y[n,co,o] w[co,ci,k] x[n,ci,o*stride + k*dilation - pad_lo]. Each role is T with one factor left out.
struct ConvAttrs {
  enum Role : std::int64_t {
    out,          ///< (x, w) -> y
    grad_input,   ///< (y, w) -> x
    grad_weight,  ///< (x, y) -> w
  };
  std::int64_t role;
  std::int64_t spatial;  ///< number of spatial axes
  std::int64_t groups;
  std::array<std::int64_t, 3> stride;
  std::array<std::int64_t, 3> pad_lo;
  std::array<std::int64_t, 3> pad_hi;
  std::array<std::int64_t, 3> dilation;
};

/// TriSolve: X with op(A) X = B; A (B…,N,N), B (B…,N,M).
struct TriSolveAttrs {
  std::int64_t lower;          ///< A's lower triangle is read, else the upper
  std::int64_t transpose;      ///< op(A) = A^T
  std::int64_t unit_diagonal;  ///< the diagonal is taken as ones and not read
};

/// Barrier: the identity, which no simplification looks through.
struct BarrierAttrs {
  std::int64_t stop_gradient;
};

}  // namespace genera
