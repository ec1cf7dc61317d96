#include "zoo/gan/spectral_norm.h"

#include <genera/functions.h>
#include <genera/ops.h>

namespace genera::zoo::gan {
namespace {

Tensor unit(const Tensor& x) { return x / (norm(x) + 1e-12); }

}  // namespace

SpectralNorm::SpectralNorm(const Shape& weight, const Key& key)
    : u_("u", unit(random_normal(key, {weight[0]})), false) {}

Tensor SpectralNorm::normalised(const Tensor& weight, Context& context) const {
  const Tensor matrix = reshape(weight, {weight.size(0), -1});
  const Tensor fixed = stop_gradient(matrix);
  const Tensor v = stop_gradient(unit(matmul(u_, fixed)));
  const Tensor u = stop_gradient(unit(matmul(fixed, v)));
  if (context.is_training()) context.update(u_, u);
  return weight / dot(u, matmul(matrix, v));
}

SpectralLinear::SpectralLinear(std::int64_t in, std::int64_t out, const Key& key)
    : weight_("weight", nn::init::xavier_uniform(key.fold_in(0), {out, in})),
      bias_("bias", zeros({out})),
      norm_(weight_.shape(), key.fold_in(1)) {}

Tensor SpectralLinear::forward(const Tensor& x, Context& context) const {
  return linear(x, norm_.normalised(weight_, context), bias_);
}

SpectralConv2d::SpectralConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel,
                               const Key& key, const nn::Conv2dOptions& options)
    : weight_("weight", nn::init::xavier_uniform(key.fold_in(0), {out, in, kernel, kernel})),
      bias_("bias", zeros({out})),
      norm_(weight_.shape(), key.fold_in(1)),
      options_{.stride = {options.stride}, .pad_lo = {options.padding}} {}

Tensor SpectralConv2d::forward(const Tensor& x, Context& context) const {
  return conv2d(x, norm_.normalised(weight_, context), bias_, options_);
}

}  // namespace genera::zoo::gan
