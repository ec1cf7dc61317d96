// The autoencoder given the class y of the image: Sohn et al., "Learning structured output representation
// using deep conditional generative models" (2015), equation 4, with the class as what is given.
//
//     log p(x|y) >= E_q(z|x,y) log p(x|y,z) - KL(q(z|x,y) || p(z|y)),    p(z|y) = N(m_y, diag(s_y^2))
//
// Both sides are fully connected with two hidden layers, and see y as a one-hot vector. Of one prior for
// all classes (1406.5298, equation 2) the samples are another class more often: only the KL term makes z
// forget the class, slowly. Here z may know it.

#include <genera/functions.h>

#include "zoo/common/failure.h"
#include "zoo/vae/model.h"

namespace genera::zoo {
namespace {

// Of the one-hot vectors: from the first step on the class must say as much to both sides as all of z
// does, or it is looked for in z.
constexpr double class_scale = 4;

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

  // Mean, log-variance, and the class, which the decoder wants too.
  Encoded encode(const Tensor& x, const Tensor& labels) const override {
    if (!labels) throw ArgumentError("[conditional VAE] encode needs the images' labels");
    const Tensor y = class_scale * one_hot(labels, shape().classes);
    const Normal posterior = split_normal(encoder_(concat({flatten(x, 1), y}, 1)));
    return {posterior.mean, posterior.log_variance, y};
  }
  LatentDraw draw(const Encoded& encoded, const Key& key) const override {
    const NormalDraw drawn =
        draw_normal({encoded[0], encoded[1]}, split_normal(prior_(encoded[2])), key);
    return {decode(concat({drawn.z, encoded[2]}, 1)), drawn.kl, drawn.log_ratio, {}, {}};
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
  nn::Sequential encoder_, decoder_;
  nn::Linear prior_;
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
