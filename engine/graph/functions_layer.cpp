// Layers as functions of tensors: linear, normalisations, dropout, attention.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace genera {
namespace {

/// (x - mean) / sqrt(var + epsilon) over `axes`.
Tensor standardised(const Tensor& x, const Axes& axes, double epsilon) {
  const Tensor centred = subtract(x, mean(x, axes, true));
  const Tensor variance = mean(multiply(centred, centred), axes, true);
  return multiply(centred, rsqrt(add(variance, lit(variance, epsilon))));
}

/// x * weight + bias, either of which may be empty.
Tensor affine(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight && bias) return fma(x, weight, bias);
  if (weight) return multiply(x, weight);
  return bias ? add(x, bias) : x;
}

/// A parameter of shape `expected`, seen as `shape`.
Tensor parameter(std::string_view function, std::string_view what, const Tensor& x,
                 const Tensor& value, const Shape& expected, const Shape& shape) {
  if (!value) return value;
  check_same_dtype(function, x, value);
  if (!(value.shape() == expected))
    fail(function, fmt::format("{} for {} must be {}, got {}", what, describe(x),
                               to_string(expected), describe(value)));
  return reshape(value, shape);
}

/// bool (T,S): key s is at most query t + offset.
Tensor causal_mask(std::int64_t queries, std::int64_t keys, std::int64_t offset) {
  return tril(ones({queries, keys}, DType::boolean), static_cast<int>(offset));
}

/// exp(scores - largest) V / sum, with nothing from where `mask` is false: the body of the
/// attention Calls.
Tensor attention_body(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  Tensor scores = matmul(q, transpose(k));
  const Tensor least = lit(scores, -std::numeric_limits<double>::infinity());
  if (mask) scores = where(mask, scores, least);
  const Tensor largest = stop_gradient(max(scores, {-1}, true));
  const Tensor shift = mask ? where(isinf(largest), lit(largest, 0), largest) : largest;
  const Tensor weights = exp(subtract(scores, shift));
  const Tensor total = sum(weights, {-1}, true);
  const Tensor product = matmul(weights, v);
  if (!mask) return divide(product, total);
  return divide(product, where(equal(total, lit(total, 0)), lit(total, 1), total));
}

/// Each query sees the keys up to its own place, the last one all of them. Blocks of queries leave
/// out most of the scores that nobody sees.
Tensor causal_attention_body(const Tensor& q, const Tensor& k, const Tensor& v) {
  constexpr std::int64_t fewest_rows = 64, most_blocks = 8;
  const std::int64_t queries = q.size(-2), keys = k.size(-2), offset = keys - queries;
  if (queries == 1 && keys > 0) return attention_body(q, k, v, {});
  if (queries <= fewest_rows || offset < 0)
    return attention_body(q, k, v, causal_mask(queries, keys, offset));
  const std::int64_t rows = std::max(fewest_rows, (queries + most_blocks - 1) / most_blocks);
  std::vector<Tensor> blocks;
  for (std::int64_t first = 0; first < queries; first += rows) {
    const std::int64_t last = std::min(queries, first + rows), seen = last + offset;
    blocks.push_back(attention_body(slice(q, -2, first, last), slice(k, -2, 0, seen),
                                    slice(v, -2, 0, seen),
                                    causal_mask(last - first, seen, first + offset)));
  }
  return concat(blocks, -2);
}

void check_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  check_floating("attention", q, k);
  check_floating("attention", q, v);
  const int rank = q.rank();
  bool fits = rank >= 2 && k.rank() == rank && v.rank() == rank;
  for (int d = 0; fits && d < rank - 2; ++d)
    fits = q.size(d) == k.size(d) && q.size(d) == v.size(d);
  if (!fits || q.size(-1) != k.size(-1) || k.size(-2) != v.size(-2))
    fail("attention", fmt::format("needs q (B…,T,D), k (B…,S,D), v (B…,S,E), got {}, {} and {}",
                                  describe(q), describe(k), describe(v)));
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_floating("linear", x, weight);
  if (x.rank() < 1 || weight.rank() != 2 || weight.size(1) != x.size(-1))
    fail("linear", fmt::format("weight (out,in) must fit x (…,in), got {} and {}", describe(weight),
                               describe(x)));
  const std::int64_t in = weight.size(1);
  const std::int64_t out = weight.size(0);
  const std::int64_t rows = in == 0 ? 0 : x.elements() / in;
  const Tensor flat = x.rank() == 2 ? x : reshape(x, Shape{rows, in});
  Tensor y = matmul(flat, transpose(weight));
  if (bias) {
    check_same_dtype("linear", x, bias);
    if (!(bias.shape() == Shape{out}))
      fail("linear", fmt::format("bias must be ({}), got {}", out, describe(bias)));
    y = add(y, bias);
  }
  return reshape(y, x.shape().with(x.rank() - 1, out));
}

Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, int axes,
                  double epsilon) {
  check_floating("layer_norm", x);
  if (axes < 1 || axes > x.rank())
    fail("layer_norm",
         fmt::format("cannot normalise over the last {} axes of {}", axes, describe(x)));
  Axes last;
  for (int axis = x.rank() - axes; axis < x.rank(); ++axis) last.push_back(axis);
  const Shape shape(x.shape().extents().last(static_cast<std::size_t>(axes)));
  return affine(standardised(x, last, epsilon),
                parameter("layer_norm", "weight", x, weight, shape, shape),
                parameter("layer_norm", "bias", x, bias, shape, shape));
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  check_floating("rms_norm", x);
  check_rank("rms_norm", x, 1);
  const Tensor power = mean(multiply(x, x), {-1}, true);
  const Tensor scaled = multiply(x, rsqrt(add(power, lit(power, epsilon))));
  const Shape shape{x.size(-1)};
  return affine(scaled, parameter("rms_norm", "weight", x, weight, shape, shape), {});
}

namespace {

Tensor grouped_norm(std::string_view function, const Tensor& x, std::int64_t groups,
                    const Tensor& weight, const Tensor& bias, double epsilon) {
  check_floating(function, x);
  check_rank(function, x, 2);
  const std::int64_t channels = x.size(1);
  if (groups < 1 || channels % groups != 0)
    fail(function,
         fmt::format("the channels of {} do not divide into {} groups", describe(x), groups));
  std::int64_t size = channels / groups;
  for (int axis = 2; axis < x.rank(); ++axis) size *= x.size(axis);
  const Tensor grouped = reshape(x, Shape{x.size(0), groups, size});
  const Tensor normal = reshape(standardised(grouped, {2}, epsilon), x.shape());
  std::vector<std::int64_t> column(static_cast<std::size_t>(x.rank()), 1);
  column[1] = channels;
  return affine(normal, parameter(function, "weight", x, weight, Shape{channels}, Shape(column)),
                parameter(function, "bias", x, bias, Shape{channels}, Shape(column)));
}

}  // namespace

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  double epsilon) {
  return grouped_norm("group_norm", x, groups, weight, bias, epsilon);
}

Tensor instance_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  check_rank("instance_norm", x, 2);
  return grouped_norm("instance_norm", x, x.size(1), weight, bias, epsilon);
}

Tensor dropout(const Tensor& x, double p, const Key& key) {
  check_floating("dropout", x);
  if (!(p >= 0 && p < 1)) fail("dropout", fmt::format("p must be in [0,1), got {}", p));
  if (p == 0) return x;
  const Tensor u = random_uniform(key, x.shape());
  return where(less(u, number(u, p)), lit(x, 0), multiply(x, number(x, 1 / (1 - p))));
}

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v,
                 const AttentionOptions& options) {
  check_attention(q, k, v);
  const std::int64_t queries = q.size(-2);
  const std::int64_t keys = k.size(-2);
  const double scale =
      options.scale != 0 ? options.scale : 1 / std::sqrt(static_cast<double>(q.size(-1)));
  const Tensor scaled = multiply(q, lit(q, scale));
  if (!options.mask) {
    const bool causal = options.causal;
    const auto body = [=](const std::vector<Tensor>& in) -> std::vector<Tensor> {
      return {causal ? causal_attention_body(in[0], in[1], in[2])
                     : attention_body(in[0], in[1], in[2], {})};
    };
    return call(causal ? "attention_causal" : "attention", body, {scaled, k, v})[0];
  }
  check_bool("attention", options.mask);
  const Shape scores = q.shape().with(q.rank() - 1, keys);
  bool fits = options.mask.rank() <= scores.rank();
  for (int d = 1; fits && d <= options.mask.rank(); ++d)
    fits = options.mask.size(-d) == 1 || options.mask.size(-d) == scores[scores.rank() - d];
  if (!fits)
    fail("attention", fmt::format("the mask {} does not broadcast to the scores {}",
                                  describe(options.mask), to_string(scores)));
  Tensor mask = options.mask;
  if (options.causal) mask = logical_and(mask, causal_mask(queries, keys, keys - queries));
  const auto body = [](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {attention_body(in[0], in[1], in[2], in[3])};
  };
  return call("attention_masked", body, {scaled, k, v, mask})[0];
}

}  // namespace genera
