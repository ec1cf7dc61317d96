// The autoencoder given the class y of the image: Sohn et al., "Learning structured output representation
// using deep conditional generative models" (2015), equation 4, with the class as what is given.
//
//     log p(x|y) >= E_q(z|x,y) log p(x|y,z) - KL(q(z|x,y) || p(z|y)),    p(z|y) = N(m_y, diag(s_y^2))
//
// Both sides are the convolutional ones (conv_vae.h). The decoder sees y as a one-hot vector beside z; the
// encoder's last layer has a row of outputs per class. Of one prior for all classes (1406.5298, equation
// 2) the samples are another class more often: only the KL term makes z forget the class, slowly. Here z
// may know it.
//
// The mean of p(x|y,z) loses first what little tells a coat from a pullover, a shirt from both. So
// training has a second term, after Lamb et al., "Discriminative regularization for generative models"
// (1602.03220): a classifier log c(y|x), which shares the encoder's layers and learns on the real images
// (the term of 1406.5298, equation 9), must find y in the decoded image too. The bound that is reported
// has neither.

#include <genera/functions.h>

#include "zoo/common/failure.h"
#include "zoo/vae/conv_vae.h"

namespace genera::zoo::vae {
namespace {

// Of the one-hot vectors: from the first step on the class must say as much to the decoder as all of z
// does, or it is looked for in z.
constexpr double class_scale = 4;
// Of -log c(y|decoded image), in nats of the bound.
constexpr double recognition_weight = 10;

class ConditionalVae : public LatentModel {
 public:
  ConditionalVae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder)
      : LatentModel(shape),
        encoder_(nn::named("encoder", std::move(encoder))),
        decoder_(nn::named("decoder", std::move(decoder))),
        prior_(nn::named("prior",
                         nn::Linear(shape.classes, 2 * shape.latent, Key(0), {.bias = false}))) {
    prior_.weight().set(zeros(prior_.weight().shape()));  // N(0, I), whatever the class
  }

  bool conditional() const override { return true; }

  // Mean, log-variance, the class (one-hot, scaled), which the decoder wants too, and log c(y|x).
  Encoded encode(const Tensor& x, const Tensor& labels) const override {
    if (!labels) throw ArgumentError("[conditional VAE] encode needs the images' labels");
    const Tensor y = one_hot(labels, shape().classes);
    const auto [normals, classes] = seen(x);
    const Normal posterior = split_normal(sum(normals * unsqueeze(y, 2), {1}));
    return {posterior.mean, posterior.log_variance, class_scale * y, misread(classes, y)};
  }
  LatentDraw draw(const Encoded& encoded, const Key& key) const override {
    const NormalDraw drawn =
        draw_normal({encoded[0], encoded[1]}, split_normal(prior_(encoded[2])), key);
    return {decode(concat({drawn.z, encoded[2]}, 1)), drawn.kl, drawn.log_ratio, {}, {}};
  }
  Tensor penalty(const Encoded& encoded, const Tensor& means) const override {
    // The classifier learns on real images only: it would learn to make do with blurred ones.
    const Tensor constant = stop_gradient(means);
    const Tensor there = misread(seen(constant).classes, encoded[2] / class_scale);
    const Tensor slope = stop_gradient(grad(sum(there), {constant})[0]);
    const Tensor decoded = stop_gradient(there) + sum(slope * (means - constant), {1, 2, 3});
    return encoded[3] + recognition_weight * decoded;
  }
  Tensor point(const Encoded& encoded) const override {
    return concat({encoded[0], encoded[2]}, 1);
  }
  Tensor decode(const Tensor& points) const override { return decoder_(points); }
  Tensor generate(std::int64_t count, const Key& key, const Tensor& labels) const override {
    if (!labels) throw ArgumentError("[conditional VAE] generate needs labels");
    const Tensor y = class_scale * one_hot(labels, shape().classes);
    if (y.size(0) != count)
      throw ArgumentError("[conditional VAE] generate needs a label per image");
    return decode(concat({sample_normal(split_normal(prior_(y)), key), y}, 1));
  }
  void visit(nn::Visitor& visitor) const override { visitor(encoder_, decoder_, prior_); }

 private:
  // What the encoder makes of images: q(z|x,y) for each y (B,K,2Z), and the logits of c(y|x) (B,K).
  struct Seen {
    Tensor normals, classes;
  };
  Seen seen(const Tensor& x) const {
    const std::int64_t k = shape().classes, numbers = k * 2 * shape().latent;
    const Tensor all = encoder_(x);
    return {reshape(slice(all, 1, 0, numbers), {-1, k, 2 * shape().latent}),
            slice(all, 1, numbers, numbers + k)};
  }
  // -log c(y|x), (B), from c's logits and one-hot y.
  static Tensor misread(const Tensor& logits, const Tensor& y) {
    return logsumexp(logits, {1}) - sum(logits * y, {1});
  }

  nn::Sequential encoder_, decoder_;
  nn::Linear prior_;
};

}  // namespace

std::unique_ptr<LatentModel> make_conditional_vae(const VaeShape& shape, const Key& key) {
  if (shape.classes < 1)
    throw UsageError("--model cvae needs images with labels: this data set has none");
  return std::make_unique<ConditionalVae>(
      shape, conv_encoder(shape, shape.classes * (2 * shape.latent + 1), key),
      conv_decoder(shape, shape.latent + shape.classes, key));
}

}  // namespace genera::zoo::vae
