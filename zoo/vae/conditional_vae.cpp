// The autoencoder given the class y of the image: Kingma et al., "Semi-supervised learning with deep
// generative models" (1406.5298), equation 2 with y observed; Sohn et al., "Learning structured output
// representation using deep conditional generative models" (2015), with a prior that does not see y.
//
//     log p(x|y) >= E_q(z|x,y) log p(x|y,z) - KL(q(z|x,y) || N(0, I))
//
// Both sides are fully connected with two hidden layers, and see y as a one-hot vector. A class decides
// about most pixels; what is left for z is the style.

#include <genera/functions.h>

#include "zoo/common/failure.h"
#include "zoo/vae/model.h"

namespace genera::zoo {
namespace {

class ConditionalVae : public LatentModel {
 public:
  ConditionalVae(const VaeShape& shape, nn::Sequential encoder, nn::Sequential decoder)
      : LatentModel(shape),
        encoder_(nn::named("encoder", std::move(encoder))),
        decoder_(nn::named("decoder", std::move(decoder))) {}

  bool conditional() const override { return true; }

  // Mean, log-variance, and the class, which the decoder wants too.
  Encoded encode(const Tensor& x, const Tensor& labels) const override {
    if (!labels) throw ArgumentError("[conditional VAE] encode needs the images' labels");
    const Tensor y = one_hot(labels, shape().classes);
    const Normal posterior = split_normal(encoder_(concat({flatten(x, 1), y}, 1)));
    return {posterior.mean, posterior.log_variance, y};
  }
  LatentDraw draw(const Encoded& encoded, const Key& key) const override {
    const StandardDraw drawn = draw_standard({encoded[0], encoded[1]}, key);
    return {decode(concat({drawn.z, encoded[2]}, 1)), drawn.kl, drawn.log_ratio, {}, {}};
  }
  Tensor point(const Encoded& encoded) const override {
    return concat({encoded[0], encoded[2]}, 1);
  }
  Tensor decode(const Tensor& points) const override { return decoder_(points); }
  Tensor generate(std::int64_t count, const Key& key, const Tensor& labels) const override {
    if (!labels) throw ArgumentError("[conditional VAE] generate needs labels");
    const Tensor z = random_normal(key, {count, shape().latent});
    return decode(concat({z, one_hot(labels, shape().classes)}, 1));
  }
  void visit(nn::Visitor& visitor) const override { visitor(encoder_, decoder_); }

 private:
  nn::Sequential encoder_, decoder_;
};

}  // namespace

std::unique_ptr<LatentModel> make_conditional_vae(const VaeShape& shape, const Key& key) {
  if (shape.classes < 1)
    throw UsageError("--model cvae needs images with labels: this data set has none");
  const std::int64_t pixels = shape.channels * shape.height * shape.width;
  const auto hidden = [&](std::int64_t in, std::uint64_t layer) {
    return before_relu(nn::Linear(in, shape.hidden, key), in, key.fold_in(layer));
  };
  nn::Sequential encoder(hidden(pixels + shape.classes, 0), nn::Relu{}, hidden(shape.hidden, 1),
                         nn::Relu{}, nn::Linear(shape.hidden, 2 * shape.latent, key.fold_in(2)));
  nn::Sequential decoder(hidden(shape.latent + shape.classes, 3), nn::Relu{},
                         hidden(shape.hidden, 4), nn::Relu{},
                         nn::Linear(shape.hidden, pixels, key.fold_in(5)),
                         nn::Reshape({shape.channels, shape.height, shape.width}));
  return std::make_unique<ConditionalVae>(shape, std::move(encoder), std::move(decoder));
}

}  // namespace genera::zoo
