/// Composite operations: functions of tensors that are written with the primitives of ops.h alone.
///
/// The rules of ops.h hold: shapes broadcast as in NumPy, tensors that meet have one dtype, axes
/// may be negative, bad arguments throw ArgumentError with the name of the function, and everything
/// is differentiable to any order unless it says otherwise. Functions of real numbers need floating
/// tensors. A C++ number that a program may anneal (a slope, a bound, a probability) is bound at
/// run time and makes no new plan; sizes, axes, exponents, orders and epsilons are part of the
/// plan.
///
/// Letters: N batch, C channels, S… spatial axes (width; height, width; depth, height, width), B…
/// any batch axes, … any axes.
#pragma once

#include <genera/export.h>
#include <genera/ops.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace genera {

// --- Elementwise mathematics --------------------------------------------------------------------

GENERA_API Tensor square(const Tensor& x);
/// |x|; the gradient at 0 is 0.
GENERA_API Tensor abs(const Tensor& x);
/// -1, 0 or 1; 0 for NaN. The gradient is zero.
GENERA_API Tensor sign(const Tensor& x);
/// 1 / x.
GENERA_API Tensor reciprocal(const Tensor& x);
/// 1 / sqrt(x).
GENERA_API Tensor rsqrt(const Tensor& x);
/// x to a fixed power. Whole exponents up to 64 are repeated products, any others exp(exponent
/// log|x|) with an error of about |exponent log|x|| ulp; NaN for a negative x and a fractional
/// exponent. At x = 0 the gradient of a fractional power is taken as 0. Integer tensors need a
/// whole exponent >= 0.
GENERA_API Tensor pow(const Tensor& x, double exponent);
/// x to the power of another tensor, as std::pow does it: a negative x needs whole exponents, 0^0
/// = 1. At x = 0 the gradients are taken as 0.
GENERA_API Tensor pow(const Tensor& x, const Tensor& exponent);
GENERA_API Tensor cos(const Tensor& x);
GENERA_API Tensor tan(const Tensor& x);
/// The smallest whole number not below x. The gradient is zero.
GENERA_API Tensor ceil(const Tensor& x);
/// The nearest whole number, halves to even. The gradient is zero.
GENERA_API Tensor round(const Tensor& x);
/// The rest of the floored division: a - b floor(a/b), with the sign of b (Python's %). Integers: a
/// where b is 0.
GENERA_API Tensor remainder(const Tensor& a, const Tensor& b);
/// The rest of the truncated division: a - b trunc(a/b), with the sign of a (C's fmod and %).
GENERA_API Tensor fmod(const Tensor& a, const Tensor& b);
/// x limited to [low, high]; NaN stays. The gradient is 1 inside and at the bounds, 0 outside.
GENERA_API Tensor clip(const Tensor& x, double low, double high);
/// The same with bounds that are tensors and get the gradient where they hold.
GENERA_API Tensor clip(const Tensor& x, const Tensor& low, const Tensor& high);
GENERA_API Tensor maximum(const Tensor& x, double bound);
GENERA_API Tensor minimum(const Tensor& x, double bound);
/// log(exp(a) + exp(b)) without overflow; exact gradients of any order, also at a = b.
GENERA_API Tensor logaddexp(const Tensor& a, const Tensor& b);

// --- Activations --------------------------------------------------------------------------------

/// x where x > 0, else slope * x (Maas et al., 2013).
GENERA_API Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// x where x > 0, else alpha (exp(x) - 1) (Clevert et al., 2015).
GENERA_API Tensor elu(const Tensor& x, double alpha = 1);
/// x Phi(x), Phi the standard normal distribution function (Hendrycks and Gimpel, 2016).
GENERA_API Tensor gelu(const Tensor& x);
/// gelu by its tanh approximation: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
GENERA_API Tensor gelu_tanh(const Tensor& x);
/// x sigmoid(x), "swish" (Elfwing et al., 2017).
GENERA_API Tensor silu(const Tensor& x);
/// log(sigmoid(x)) = -softplus(-x).
GENERA_API Tensor log_sigmoid(const Tensor& x);
/// x tanh(softplus(x)) (Misra, 2019).
GENERA_API Tensor mish(const Tensor& x);
/// x limited to [low, high].
GENERA_API Tensor hardtanh(const Tensor& x, double low = -1, double high = 1);

// --- Comparison and logic: bool, no gradients ---------------------------------------------------

/// Comparisons with NaN are false, but for not_equal, which is true.
GENERA_API Tensor greater(const Tensor& a, const Tensor& b);
GENERA_API Tensor less_equal(const Tensor& a, const Tensor& b);
GENERA_API Tensor greater_equal(const Tensor& a, const Tensor& b);
GENERA_API Tensor not_equal(const Tensor& a, const Tensor& b);
GENERA_API Tensor less(const Tensor& a, double b);
GENERA_API Tensor less_equal(const Tensor& a, double b);
GENERA_API Tensor greater(const Tensor& a, double b);
GENERA_API Tensor greater_equal(const Tensor& a, double b);
GENERA_API Tensor equal(const Tensor& a, double b);
GENERA_API Tensor not_equal(const Tensor& a, double b);
/// Of bool tensors.
GENERA_API Tensor logical_and(const Tensor& a, const Tensor& b);
GENERA_API Tensor logical_or(const Tensor& a, const Tensor& b);
GENERA_API Tensor logical_xor(const Tensor& a, const Tensor& b);
GENERA_API Tensor logical_not(const Tensor& x);
GENERA_API Tensor isnan(const Tensor& x);
GENERA_API Tensor isinf(const Tensor& x);
GENERA_API Tensor isfinite(const Tensor& x);

// --- Reductions: over `axes`, which disappear unless keepdims; without axes over all, to a scalar
// -----------

GENERA_API Tensor mean(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor mean(const Tensor& x);
/// Minimum; NaN where any is; +infinity of nothing. Equal minima share the gradient evenly.
GENERA_API Tensor min(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor min(const Tensor& x);
/// Product, by halving: log2(n) rounds, exact gradients of any order also where elements are 0.
GENERA_API Tensor prod(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor prod(const Tensor& x);
/// sum((x - mean)^2) / (n - correction); correction 1 is the unbiased estimate.
GENERA_API Tensor var(const Tensor& x, const Axes& axes, bool keepdims = false,
                      double correction = 0);
GENERA_API Tensor var(const Tensor& x);
/// sqrt(var): the standard deviation. Its gradient is not finite where var is 0.
GENERA_API Tensor stddev(const Tensor& x, const Axes& axes, bool keepdims = false,
                         double correction = 0);
GENERA_API Tensor stddev(const Tensor& x);
/// (sum |x|^order)^(1/order) for order > 0; order infinity: max |x|. The gradient at 0 is 0.
GENERA_API Tensor norm(const Tensor& x, const Axes& axes, bool keepdims = false, double order = 2);
GENERA_API Tensor norm(const Tensor& x);
/// bool: whether any element is true (or not 0); false of nothing.
GENERA_API Tensor any(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor any(const Tensor& x);
/// bool: whether all elements are true (or not 0); true of nothing.
GENERA_API Tensor all(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor all(const Tensor& x);
/// log(sum(exp(x))) without overflow. Of elements that all are -infinity: -infinity, with gradient
/// 0.
GENERA_API Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdims = false);
GENERA_API Tensor logsumexp(const Tensor& x);
/// exp(x) / sum(exp(x)) along the axis; NaN where all elements are -infinity.
GENERA_API Tensor softmax(const Tensor& x, int axis = -1);
/// log(softmax(x)), accurate.
GENERA_API Tensor log_softmax(const Tensor& x, int axis = -1);
/// Index (i32) of the smallest element along the axis, the first of equals; NaN counts as smallest.
/// No gradient.
GENERA_API Tensor argmin(const Tensor& x, int axis, bool keepdims = false);
/// Inclusive running product along the axis, in log2(n) rounds; exact gradients also where elements
/// are 0.
GENERA_API Tensor cumprod(const Tensor& x, int axis);

// --- Sorting, indexing --------------------------------------------------------------------------

/// x sorted along the axis, NaN last in either order.
GENERA_API Tensor sort(const Tensor& x, int axis = -1, bool descending = false);
/// {values, indices (i32)} of the k largest elements along the axis, largest first, the first of
/// equals first. Gradients flow through the values.
GENERA_API std::pair<Tensor, Tensor> top_k(const Tensor& x, std::int64_t k, int axis = -1);
/// out[…,i,…] = x[…,indices[…,i,…],…] at `axis`: indices (i32) have x's rank; the other axes
/// broadcast. An index outside [0, extent) throws ArgumentError when the plan runs.
GENERA_API Tensor take_along_axis(const Tensor& x, const Tensor& indices, int axis);
/// x with values[…,i,…] written at […,indices[…,i,…],…]; indices have x's extents outside `axis`
/// and must be unique along it; values broadcast to the shape of indices.
GENERA_API Tensor put_along_axis(const Tensor& x, const Tensor& indices, const Tensor& values,
                                 int axis);
/// The same, but values are added and indices may repeat.
GENERA_API Tensor scatter_add_along_axis(const Tensor& x, const Tensor& indices,
                                         const Tensor& values, int axis);
/// indices (…) -> (…,classes), 1 at the index and 0 elsewhere; all 0 for an index outside [0,
/// classes).
GENERA_API Tensor one_hot(const Tensor& indices, std::int64_t classes, DType dtype = DType::f32);
/// Rows of `weight` (V,D) at `indices` (i32, …): (…,D).
GENERA_API Tensor embedding(const Tensor& indices, const Tensor& weight);

// --- Shapes -------------------------------------------------------------------------------------

/// Tensors of one shape along a new axis, which becomes `axis` of the result.
GENERA_API Tensor stack(const std::vector<Tensor>& parts, int axis = 0);
/// Parts of extents `sizes`, which sum to the axis' extent.
GENERA_API std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes,
                                     int axis);
/// `count` equal parts; ArgumentError unless count divides the extent.
GENERA_API std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int axis);
/// x backwards along `axes`.
GENERA_API Tensor flip(const Tensor& x, const Axes& axes);
/// x moved by `shift` places along the axis; what leaves at one end enters at the other.
GENERA_API Tensor roll(const Tensor& x, std::int64_t shift, int axis);
/// x repeated times[d] times along each axis d, as a whole; one entry per axis.
GENERA_API Tensor tile(const Tensor& x, const std::vector<std::int64_t>& times);
/// Each element repeated `times` times in a row along the axis.
GENERA_API Tensor repeat(const Tensor& x, std::int64_t times, int axis);
/// Without all axes of extent 1, or without `axes`, which must have extent 1.
GENERA_API Tensor squeeze(const Tensor& x);
GENERA_API Tensor squeeze(const Tensor& x, const Axes& axes);
/// With a new axis of extent 1, which is `axis` of the result.
GENERA_API Tensor unsqueeze(const Tensor& x, int axis);
/// Axes first…last become one.
GENERA_API Tensor flatten(const Tensor& x, int first = 0, int last = -1);
/// The axis `from` becomes axis `to`; the others keep their order.
GENERA_API Tensor move_axis(const Tensor& x, int from, int to);
/// Like pad() without interior, with `value` instead of 0.
GENERA_API Tensor pad_constant(const Tensor& x, const std::vector<std::int64_t>& lo,
                               const std::vector<std::int64_t>& hi, double value);
/// `count` numbers from low to high, both included: (count).
GENERA_API Tensor linspace(double low, double high, std::int64_t count, DType dtype = DType::f32);
/// Coordinate grids of 1-D tensors (n0), (n1), …: each (n0,n1,…), grid k varying along axis k ("ij"
/// indexing).
GENERA_API std::vector<Tensor> meshgrid(const std::vector<Tensor>& axes);

// --- Matrices (the last two axes) ---------------------------------------------------------------

/// (rows,columns) with ones on the diagonal; columns -1: square.
GENERA_API Tensor eye(std::int64_t rows, std::int64_t columns = -1, DType dtype = DType::f32);
/// x with zeros above (tril) or below (triu) the diagonal `offset` (0 main, 1 the next above, -1
/// below).
GENERA_API Tensor tril(const Tensor& x, int offset = 0);
GENERA_API Tensor triu(const Tensor& x, int offset = 0);
/// The diagonal of (…,R,C): (…,min(R,C)) for offset 0; element i is x[i, i+offset] (offset < 0:
/// x[i-offset, i]).
GENERA_API Tensor diagonal(const Tensor& x, int offset = 0);
/// Square matrices with x (…,N) on the diagonal `offset`: (…,M,M), M = N + |offset|.
GENERA_API Tensor diag_embed(const Tensor& x, int offset = 0);
/// Sum of the diagonal: (…,R,C) -> (…).
GENERA_API Tensor trace(const Tensor& x);
/// sum(a * b) of two 1-D tensors: a scalar.
GENERA_API Tensor dot(const Tensor& a, const Tensor& b);
/// a (M), b (N) -> (M,N), a_i b_j.
GENERA_API Tensor outer(const Tensor& a, const Tensor& b);
/// Sums of products by Einstein's convention: einsum("bij,bjk->bik", {a, b}). A letter that the
/// output lacks is summed over, one that repeats within a term is its diagonal, "..." stands for
/// axes that broadcast, and without "->" the output has the letters that occur once, in
/// alphabetical order, after "...". Operands are contracted from left to right.
GENERA_API Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands);

// --- Linear algebra of (B…,N,N) -----------------------------------------------------------------

struct SlogDet {
  Tensor sign;       ///< (B…): -1, 0 or 1; no gradient
  Tensor logabsdet;  ///< (B…): log|det|; -infinity of a singular matrix
};
/// Sign and logarithm of the absolute determinant, by LU. The gradient is not finite at singular
/// matrices.
GENERA_API SlogDet slogdet(const Tensor& a);
/// The determinant (B…), by LU. The gradient is not finite at singular matrices.
GENERA_API Tensor det(const Tensor& a);
/// X with A X = B, by LU; B (B…,N,M), or (N) for one right-hand side; batch axes broadcast. Not
/// finite where A is singular.
GENERA_API Tensor solve(const Tensor& a, const Tensor& b);
GENERA_API Tensor inverse(const Tensor& a);
/// X with L L^T X = B, given L (lower) = cholesky(A); B as for solve().
GENERA_API Tensor cholesky_solve(const Tensor& factor, const Tensor& b);
/// log det(L L^T) = 2 sum(log(diagonal(L))): (B…).
GENERA_API Tensor cholesky_logdet(const Tensor& factor);

// --- Images and layers --------------------------------------------------------------------------

/// Options of pooling, one entry per spatial axis; a single entry serves all.
struct PoolOptions {
  std::vector<std::int64_t> stride = {};    ///< empty: the window's size
  std::vector<std::int64_t> padding = {0};  ///< on both sides
  bool count_padding = true;                ///< avg_pool: padding counts as elements of value 0
};
/// The largest of each window: x (N,C,S…) -> (N,C,O…), O = floor((S + 2 padding - size) / stride) +
/// 1, 1 to 3 spatial axes. Equal maxima share the gradient evenly.
GENERA_API Tensor max_pool(const Tensor& x, const std::vector<std::int64_t>& size,
                           const PoolOptions& options = {});
/// The mean of each window; shapes as max_pool.
GENERA_API Tensor avg_pool(const Tensor& x, const std::vector<std::int64_t>& size,
                           const PoolOptions& options = {});
/// Each element `factor` times along every spatial axis: (N,C,S…) -> (N,C,S*factor…).
GENERA_API Tensor upsample_nearest(const Tensor& x, std::int64_t factor);
/// Linear interpolation along every spatial axis (PyTorch's align_corners=False): (N,C,S…) ->
/// (N,C,S*factor…).
GENERA_API Tensor upsample_bilinear(const Tensor& x, std::int64_t factor);
/// (N,C*r*r,H,W) -> (N,C,H*r,W*r): channel c*r*r + i*r + j goes to row offset i and column offset j
/// (Shi et al., 2016).
GENERA_API Tensor pixel_shuffle(const Tensor& x, std::int64_t r);
/// The inverse of pixel_shuffle, "squeeze" in flows: (N,C,H*r,W*r) -> (N,C*r*r,H,W).
GENERA_API Tensor space_to_depth(const Tensor& x, std::int64_t r);
/// conv() of x (N,Cin,W), (N,Cin,H,W) or (N,Cin,D,H,W), plus a bias (Cout) unless it is empty.
GENERA_API Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                         const ConvOptions& options = {});
GENERA_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                         const ConvOptions& options = {});
GENERA_API Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                         const ConvOptions& options = {});
/// conv_transpose() of x (N,Cin,H,W), weight (Cin,Cout/groups,K,K), plus a bias (Cout) unless it is
/// empty.
GENERA_API Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                                   const ConvOptions& options = {},
                                   const std::vector<std::int64_t>& output_padding = {0});
/// x (…,in), weight (out,in), bias (out) or empty -> x weight^T + bias (…,out).
GENERA_API Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
/// (x - mean) / sqrt(var + epsilon) over the last `axes` axes, times weight plus bias (each of the
/// shape of those axes, or empty) (Ba et al., 2016).
GENERA_API Tensor layer_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                             int axes = 1, double epsilon = 1e-5);
/// x / sqrt(mean(x^2) + epsilon) over the last axis, times weight (C) unless it is empty (Zhang and
/// Sennrich, 2019).
GENERA_API Tensor rms_norm(const Tensor& x, const Tensor& weight = {}, double epsilon = 1e-6);
/// x (N,C,S…) normalised within each of `groups` equal groups of channels, times weight (C) plus
/// bias (C), each or empty (Wu and He, 2018).
GENERA_API Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {},
                             const Tensor& bias = {}, double epsilon = 1e-5);
/// group_norm with one channel per group (Ulyanov et al., 2016).
GENERA_API Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                                double epsilon = 1e-5);
/// x with each element zeroed with probability p and the others divided by 1 - p; 0 <= p < 1
/// (Srivastava et al., 2014).
GENERA_API Tensor dropout(const Tensor& x, double p, const Key& key);

struct AttentionOptions {
  bool causal = false;  ///< query t sees keys up to t + S - T: the last query sees all
  Tensor mask = {};     ///< bool, broadcasts to (B…,T,S): true where a query may see a key
  double scale = 0;     ///< 0: 1/sqrt(D)
};
/// softmax(scale Q K^T) V: q (B…,T,D), k (B…,S,D), v (B…,S,E) -> (B…,T,E), equal batch axes. A
/// query that may see nothing gives zeros (Vaswani et al., 2017). A Call named "attention",
/// "attention_causal" or "attention_masked".
GENERA_API Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                            const AttentionOptions& options = {});

// --- Losses and densities -----------------------------------------------------------------------

/// What a loss does with its elements.
enum class Reduction { none, mean, sum };

/// (x - target)^2.
GENERA_API Tensor mse_loss(const Tensor& x, const Tensor& target,
                           Reduction reduction = Reduction::mean);
/// |x - target|.
GENERA_API Tensor l1_loss(const Tensor& x, const Tensor& target,
                          Reduction reduction = Reduction::mean);
/// e^2/2 where |e| < delta, else delta (|e| - delta/2), of e = x - target (Huber, 1964).
GENERA_API Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                             Reduction reduction = Reduction::mean);
/// max(0, 1 - target * x), targets -1 or 1.
GENERA_API Tensor hinge_loss(const Tensor& x, const Tensor& target,
                             Reduction reduction = Reduction::mean);
/// -t log(sigmoid(x)) - (1-t) log(1 - sigmoid(x)) of logits x and targets t in [0,1]: max(x,0) - x
/// t + log(1 + exp(-|x|)), with exact gradients of any order.
GENERA_API Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& targets,
                                                   Reduction reduction = Reduction::mean);

struct CrossEntropyOptions {
  double label_smoothing = 0;             ///< part of the target spread evenly over all classes
  Tensor weights = {};                    ///< one per label; 0 ignores the label whatever it is
  Reduction reduction = Reduction::mean;  ///< with weights the mean is sum(w loss) / sum(w)
};
/// -log softmax(logits)[label]: logits (…,C), labels (i32, …). A label outside [0,C) gives NaN.
GENERA_API Tensor cross_entropy(const Tensor& logits, const Tensor& labels,
                                const CrossEntropyOptions& options = {});
/// -log_probs[label]: log_probs (…,C), labels (i32, …).
GENERA_API Tensor nll_loss(const Tensor& log_probs, const Tensor& labels,
                           const CrossEntropyOptions& options = {});

// Below, elementwise and in nats: sum over the axes of one example yourself.

/// KL(N(mean, exp(log_var)) || N(0, 1)) (Kingma and Welling, 2013, appendix B).
GENERA_API Tensor kl_standard_normal(const Tensor& mean, const Tensor& log_var);
/// KL(N(mean_a, exp(log_var_a)) || N(mean_b, exp(log_var_b))).
GENERA_API Tensor kl_normal(const Tensor& mean_a, const Tensor& log_var_a, const Tensor& mean_b,
                            const Tensor& log_var_b);
/// log N(x; mean, exp(log_var)).
GENERA_API Tensor normal_log_density(const Tensor& x, const Tensor& mean, const Tensor& log_var);
/// log N(x; 0, 1).
GENERA_API Tensor standard_normal_log_density(const Tensor& x);

struct DiscretizedLogisticOptions {
  double low = 0;   ///< the first level
  double high = 1;  ///< the last level
  int levels = 256;
};
/// log P(x) of the logistic distribution (mean, exp(log_scale)) integrated over x's bin; x lies on
/// one of `levels` evenly spaced levels. The first and the last bin are open to infinity (Salimans
/// et al., "PixelCNN++", 2017, eq. 2).
GENERA_API Tensor
discretized_logistic_log_likelihood(const Tensor& x, const Tensor& mean, const Tensor& log_scale,
                                    const DiscretizedLogisticOptions& options = {});

}  // namespace genera
