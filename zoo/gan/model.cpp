#include "zoo/gan/model.h"

#include <genera/functions.h>

#include "zoo/gan/spectral_norm.h"

namespace genera::zoo::gan {

Tensor Generator::generate(const Tensor& z, const Tensor& labels, Context& context) const {
  if (shape_.classes == 0) return body_(z, context);
  return body_(concat({z, one_hot(labels, shape_.classes)}, 1), context);
}

Discriminator::Discriminator(const GanShape& shape, nn::Sequential body, std::int64_t features,
                             const Key& key)
    : shape_(shape), body_(nn::named("body", std::move(body))) {
  if (shape.critic_norm == CriticNorm::spectral)
    head_.add(SpectralLinear(features, 1, key.fold_in(0)));
  else
    head_.add(nn::Linear(features, 1, key.fold_in(0)));
  head_.set_name("head");
  if (shape.classes > 0)
    embedding_ =
        State("embedding", nn::init::normal(key.fold_in(1), {shape.classes, features}, 0, 0.1));
}

Tensor Discriminator::score(const Tensor& x, const Tensor& labels, Context& context) const {
  const Tensor packed = shape_.pack == 1 ? x : reshape(x, {x.size(0) / shape_.pack, -1});
  const Tensor features = body_(packed, context);
  Tensor score = reshape(head_(features, context), {-1});
  if (shape_.classes == 0) return score;
  return score + sum(embedding(labels, embedding_) * features, {1});
}

void Discriminator::visit(nn::Visitor& visitor) const {
  visitor(body_, head_);
  if (embedding_) visitor(embedding_);
}

}  // namespace genera::zoo::gan
