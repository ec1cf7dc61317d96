/// The primitive operations on tensors. Each builds one expression node (plus broadcasts) and computes nothing.
///
/// Rules for all: shapes broadcast as in NumPy (right-aligned, extents equal or 1). Tensors that meet in one operation have
/// one dtype; convert with cast(). A C++ number takes the dtype of the tensor that it meets and never makes a new
/// plan. Axes may be negative (-1 is the innermost). Bad arguments throw ArgumentError, which names the operation.
/// Every operation is differentiable to any order unless it says otherwise.
#pragma once

#include <genera/export.h>
#include <genera/tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace genera {

/// A list of axes.
using Axes = std::vector<int>;

// --- Create -----------------------------------------------------------------------------------------------------

/// A tensor with `value` in every element.
GENERA_API Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
GENERA_API Tensor zeros(const Shape& shape, DType dtype = DType::f32);
GENERA_API Tensor ones(const Shape& shape, DType dtype = DType::f32);
/// `value` in every element of the shape and dtype of `like`. Part of the plan: for literals inside composites.
GENERA_API Tensor full_like(const Tensor& like, double value);
GENERA_API Tensor zeros_like(const Tensor& like);
/// A number that may differ from step to step without making a new plan, in every element of `shape`.
GENERA_API Tensor scalar(double value, DType dtype = DType::f32, const Shape& shape = {});
/// Element [i0,i1,…] is i_axis; i32 or floating.
GENERA_API Tensor iota(const Shape& shape, int axis, DType dtype = DType::i32);
/// 0, 1, …, n-1.
GENERA_API Tensor arange(std::int64_t n, DType dtype = DType::i32);

// --- Elementwise ------------------------------------------------------------------------------------------------

GENERA_API Tensor negative(const Tensor& x);
GENERA_API Tensor exp(const Tensor& x);
/// exp(x) - 1, accurate near 0.
GENERA_API Tensor expm1(const Tensor& x);
GENERA_API Tensor log(const Tensor& x);
/// log(1 + x), accurate near 0.
GENERA_API Tensor log1p(const Tensor& x);
/// max(x, 0); the gradient at 0 is 0, NaN stays.
GENERA_API Tensor relu(const Tensor& x);
GENERA_API Tensor sqrt(const Tensor& x);
GENERA_API Tensor sin(const Tensor& x);
/// The angle in [-pi/2, pi/2] whose tangent is x.
GENERA_API Tensor atan(const Tensor& x);
GENERA_API Tensor tanh(const Tensor& x);
/// 1 / (1 + exp(-x)).
GENERA_API Tensor sigmoid(const Tensor& x);
/// log(1 + exp(x)), accurate and with exact gradients of any order everywhere.
GENERA_API Tensor softplus(const Tensor& x);
/// The error function.
GENERA_API Tensor erf(const Tensor& x);
/// The largest integer not above x. The gradient is zero.
GENERA_API Tensor floor(const Tensor& x);
/// Conversion: floating to integer truncates and saturates (NaN gives 0), to bool is x != 0. Differentiable between
/// floating types.
GENERA_API Tensor cast(const Tensor& x, DType dtype);

GENERA_API Tensor add(const Tensor& a, const Tensor& b);
GENERA_API Tensor subtract(const Tensor& a, const Tensor& b);
/// a * b; of bools: and.
GENERA_API Tensor multiply(const Tensor& a, const Tensor& b);
/// a / b; of integers the floor of the quotient, and 0 where b is 0.
GENERA_API Tensor divide(const Tensor& a, const Tensor& b);
/// The larger; NaN where either is; of bools: or. Equal inputs share the gradient evenly.
GENERA_API Tensor maximum(const Tensor& a, const Tensor& b);
GENERA_API Tensor minimum(const Tensor& a, const Tensor& b);
/// a < b, as bool.
GENERA_API Tensor less(const Tensor& a, const Tensor& b);
/// a == b, as bool.
GENERA_API Tensor equal(const Tensor& a, const Tensor& b);
/// a * b + c with one rounding.
GENERA_API Tensor fma(const Tensor& a, const Tensor& b, const Tensor& c);
/// a where condition (bool) holds, else b.
GENERA_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

inline Tensor operator-(const Tensor& x) { return negative(x); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return subtract(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return multiply(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return divide(a, b); }
GENERA_API Tensor operator+(const Tensor& a, double b);
GENERA_API Tensor operator+(double a, const Tensor& b);
GENERA_API Tensor operator-(const Tensor& a, double b);
GENERA_API Tensor operator-(double a, const Tensor& b);
GENERA_API Tensor operator*(const Tensor& a, double b);
GENERA_API Tensor operator*(double a, const Tensor& b);
GENERA_API Tensor operator/(const Tensor& a, double b);
GENERA_API Tensor operator/(double a, const Tensor& b);

// --- Reductions, scans, sorting ---------------------------------------------------------------------------------

/// Sum over `axes`; they disappear unless keepdims. Without axes: over all, to a scalar.
GENERA_API Tensor sum(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor sum(const Tensor& x);
/// Maximum; NaN where any is; -infinity of nothing. Equal maxima share the gradient evenly.
GENERA_API Tensor max(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor max(const Tensor& x);
/// Index (i32) of the largest element along the axis, the first of equals; NaN counts as largest. No gradient.
GENERA_API Tensor argmax(const Tensor& x, int axis, bool keepdims = false);
/// Inclusive running sum, maximum, or log(sum(exp)) along the axis; reverse: from the end.
GENERA_API Tensor cumsum(const Tensor& x, int axis, bool reverse = false);
GENERA_API Tensor cummax(const Tensor& x, int axis, bool reverse = false);
GENERA_API Tensor logcumsumexp(const Tensor& x, int axis, bool reverse = false);
/// Indices (i32) that sort x along the axis: ascending, stable, NaN last. No gradient.
GENERA_API Tensor argsort(const Tensor& x, int axis = -1);

// --- Movement ---------------------------------------------------------------------------------------------------

/// The same elements, row-major, under another shape; one extent may be -1 and follows from the others.
GENERA_API Tensor reshape(const Tensor& x, const std::vector<std::int64_t>& extents);
inline Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> extents) {
  return reshape(x, std::vector<std::int64_t>(extents));
}
GENERA_API Tensor reshape(const Tensor& x, const Shape& shape);
/// Output axis d is input axis axes[d].
GENERA_API Tensor permute(const Tensor& x, const Axes& axes);
/// Swaps two axes.
GENERA_API Tensor transpose(const Tensor& x, int axis_a = -2, int axis_b = -1);
GENERA_API Tensor broadcast_to(const Tensor& x, const Shape& shape);
/// Elements start, start+step, … below stop of one axis; start and stop may be negative (from the end), as in Python;
/// step may be negative.
GENERA_API Tensor slice(const Tensor& x, int axis, std::int64_t start, std::int64_t stop,
                        std::int64_t step = 1);
/// Elements start[d] + i*step[d] of every axis d, `shape` many.
GENERA_API Tensor strided_slice(const Tensor& x, const std::vector<std::int64_t>& start,
                                const Shape& shape, const std::vector<std::int64_t>& step);
/// The block of `shape` at `start` (i32, (rank), a tensor: it may move without a new plan), clamped to lie inside x.
GENERA_API Tensor dynamic_slice(const Tensor& x, const Tensor& start, const Shape& shape);
/// Zeros around every axis: lo before, hi after, `interior` between neighbours (empty: none).
GENERA_API Tensor pad(const Tensor& x, const std::vector<std::int64_t>& lo,
                      const std::vector<std::int64_t>& hi,
                      const std::vector<std::int64_t>& interior = {});
GENERA_API Tensor concat(const std::vector<Tensor>& parts, int axis);
/// Windows over `axes`: out[…, p_k, …, j_k] = x[…, p_k*stride[k] + j_k*dilation[k], …], where axes[k] counts positions and
/// one axis of extent size[k] per entry is appended. Pooling is a reduction over those.
GENERA_API Tensor window(const Tensor& x, const Axes& axes, const std::vector<std::int64_t>& size,
                         const std::vector<std::int64_t>& stride,
                         const std::vector<std::int64_t>& dilation = {});
/// The adjoint of window: adds overlapping windows into a tensor of `shape`.
GENERA_API Tensor fold(const Tensor& windows, const Shape& shape, const Axes& axes,
                       const std::vector<std::int64_t>& size,
                       const std::vector<std::int64_t>& stride,
                       const std::vector<std::int64_t>& dilation = {});

// --- Indexing ---------------------------------------------------------------------------------------------------

/// Rows of x along `axis` at `indices` (i32, any shape): shape x[:axis] + indices + x[axis+1:]. An index outside
/// [0, extent) throws ArgumentError when the plan runs.
GENERA_API Tensor gather(const Tensor& x, const Tensor& indices, int axis = 0);
/// base with `updates` (shape base[:axis] + indices + base[axis+1:]) added to the rows `indices`, in order.
GENERA_API Tensor scatter_add(const Tensor& base, const Tensor& indices, const Tensor& updates,
                              int axis = 0);
/// base with the rows `indices`, which must be unique, replaced by `updates`.
GENERA_API Tensor scatter_set(const Tensor& base, const Tensor& indices, const Tensor& updates,
                              int axis = 0);
/// x with the block at `start` replaced by `update`.
GENERA_API Tensor slice_update(const Tensor& x, const Tensor& update,
                               const std::vector<std::int64_t>& start);
/// The same with a start that is a tensor (i32, (rank)), clamped so that the block lies inside x.
GENERA_API Tensor dynamic_slice_update(const Tensor& x, const Tensor& update, const Tensor& start);

// --- Contractions -----------------------------------------------------------------------------------------------

/// Matrix product over the last two axes, (B…,M,K) x (B…,K,N) -> (B…,M,N); batch axes broadcast. A rank-1 a or b is a row
/// or a column, whose axis disappears.
GENERA_API Tensor matmul(const Tensor& a, const Tensor& b);

/// Options of convolutions, one entry per spatial axis; a single entry serves all axes.
struct ConvOptions {
  std::vector<std::int64_t> stride = {1};
  std::vector<std::int64_t> pad_lo = {0};
  std::vector<std::int64_t> pad_hi = {};  ///< empty: as pad_lo
  std::vector<std::int64_t> dilation = {1};
  std::int64_t groups = 1;
};
/// Convolution (cross-correlation) over 1 to 3 spatial axes: x (N,Cin,S…), weight (Cout,Cin/groups,K…) -> (N,Cout,O…) with
/// O = (S + pad_lo + pad_hi - dilation*(K-1) - 1) / stride + 1.
GENERA_API Tensor conv(const Tensor& x, const Tensor& weight, const ConvOptions& options = {});
/// The convolution's adjoint in x, "transposed convolution": y (N,Cout,O…), weight (Cout,Cin/groups,K…) -> (N,Cin,S…) with
/// S = (O-1)*stride + dilation*(K-1) + 1 - pad_lo - pad_hi + output_padding.
GENERA_API Tensor conv_transpose(const Tensor& y, const Tensor& weight,
                                 const ConvOptions& options = {},
                                 const std::vector<std::int64_t>& output_padding = {0});

// --- Linear algebra ---------------------------------------------------------------------------------------------

/// LU factors with partial pivoting of square matrices (B…,N,N): {packed L\U, permutation (i32, (B…,N))} with
/// A[permutation] = L U, L with unit diagonal. A singular matrix gives a zero on U's diagonal.
GENERA_API std::pair<Tensor, Tensor> lu(const Tensor& a);
struct TriangularOptions {
  bool lower = true;
  bool transpose = false;
  bool unit_diagonal = false;
};
/// X with op(A) X = B; A (B…,N,N) triangular (the other triangle is not read), B (B…,N,M); equal batch axes.
GENERA_API Tensor solve_triangular(const Tensor& a, const Tensor& b,
                                   const TriangularOptions& options = {});
/// L (lower) with L L^T = A of symmetric positive definite matrices (B…,N,N); A is taken as (A + A^T)/2. NaN where A is not
/// positive definite.
GENERA_API Tensor cholesky(const Tensor& a);

// --- Structure --------------------------------------------------------------------------------------------------

/// x, through which no gradient flows.
GENERA_API Tensor stop_gradient(const Tensor& x);
/// x as it is now, cut off from its graph: a leaf that holds the value. Evaluates.
GENERA_API Tensor detach(const Tensor& x);
/// x, which simplification does not look through; with `after`, computed only once `after` is.
GENERA_API Tensor barrier(const Tensor& x, const Tensor& after = {});

/// A function of tensors.
using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
/// A named operation that means body(inputs). A backend that has a kernel of this name runs it instead; values and
/// gradients of any order are those of the body.
GENERA_API std::vector<Tensor> call(const std::string& name, const TensorFunction& body,
                                    const std::vector<Tensor>& inputs);
/// body(inputs), whose intermediates are computed again in the backward pass instead of being kept (Chen et al., "Training
/// deep nets with sublinear memory cost", 2016).
GENERA_API std::vector<Tensor> checkpoint(const TensorFunction& body,
                                          const std::vector<Tensor>& inputs);

}  // namespace genera
