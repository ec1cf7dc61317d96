#include "zoo/flow/invertible_linear.h"

#include <genera/functions.h>

namespace genera::zoo::flow {
namespace {

// W (C,C) at every position of x (B,C) or (B,C,H,W).
Tensor apply(const Tensor& weight, const Tensor& x) {
  if (x.rank() == 2) return matmul(x, transpose(weight));
  return conv(x, reshape(weight, {x.size(1), x.size(1), 1, 1}));
}

// The x with W x = z: what the rounded inverse leaves over is solved for once more.
Tensor solved(const Tensor& weight, const Tensor& z) {
  const Tensor inverse = genera::inverse(weight);
  const Tensor x = apply(inverse, z);
  return x + apply(inverse, z - apply(weight, x));
}

Tensor rotation(std::int64_t channels, const Key& key) {
  return nn::init::orthogonal(key, {channels, channels});
}

}  // namespace

PlainLinear::PlainLinear(std::int64_t channels, const Key& key)
    : weight_("weight", rotation(channels, key)) {}

Mapped PlainLinear::map(const Tensor& x, Context&) const {
  return {apply(weight_, x), per_example(slogdet(weight_).logabsdet * places_of_channel(x), x)};
}

Tensor PlainLinear::inverse(const Tensor& z) const { return solved(weight_, z); }

LuLinear::LuLinear(std::int64_t channels, const Key& key) {
  const auto [packed, order] = lu(rotation(channels, key));
  const Tensor diagonal = genera::diagonal(packed);
  // The rotation's row order[i] is row i of L U.
  permutation_ = State("permutation", detach(transpose(one_hot(order, channels))), false);
  sign_ = State("sign", detach(sign(diagonal)), false);
  lower_ = State("lower", detach(tril(packed, -1)));
  upper_ = State("upper", detach(triu(packed, 1)));
  log_scale_ = State("log_scale", detach(log(abs(diagonal))));
}

Tensor LuLinear::weight() const {
  const Tensor lower = tril(lower_, -1) + eye(lower_.shape()[0]);
  const Tensor upper = triu(upper_, 1) + diag_embed(sign_ * exp(log_scale_));
  return matmul(permutation_, matmul(lower, upper));
}

Mapped LuLinear::map(const Tensor& x, Context&) const {
  return {apply(weight(), x), per_example(sum(log_scale_) * places_of_channel(x), x)};
}

Tensor LuLinear::inverse(const Tensor& z) const { return solved(weight(), z); }

}  // namespace genera::zoo::flow
