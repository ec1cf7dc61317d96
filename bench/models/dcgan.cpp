// DCGAN (Radford et al., 1511.06434) on 1 x 32 x 32, the non-saturating loss.
#include "../workload.h"

namespace bench {
namespace {

constexpr std::int64_t latent = 100, width = 64;

nn::ConvTranspose2d up(std::int64_t in, std::int64_t out, const Key& key) {
  return {in, out, 4, key, {.stride = 2, .padding = 1, .bias = false}};
}
nn::Conv2d down(std::int64_t in, std::int64_t out, const Key& key) {
  return {in, out, 4, key, {.stride = 2, .padding = 1, .bias = false}};
}

nn::Sequential make_generator(const Key& key) {
  return nn::Sequential{nn::ConvTranspose2d(latent, 4 * width, 4, key.fold_in(0), {.bias = false}),
                        nn::BatchNorm(4 * width),
                        nn::Relu{},
                        up(4 * width, 2 * width, key.fold_in(1)),
                        nn::BatchNorm(2 * width),
                        nn::Relu{},
                        up(2 * width, width, key.fold_in(2)),
                        nn::BatchNorm(width),
                        nn::Relu{},
                        up(width, 1, key.fold_in(3)),
                        nn::Tanh{}};
}

nn::Sequential make_discriminator(const Key& key) {
  return nn::Sequential{down(1, width, key.fold_in(4)),
                        nn::LeakyRelu(0.2),
                        down(width, 2 * width, key.fold_in(5)),
                        nn::BatchNorm(2 * width),
                        nn::LeakyRelu(0.2),
                        down(2 * width, 4 * width, key.fold_in(6)),
                        nn::BatchNorm(4 * width),
                        nn::LeakyRelu(0.2),
                        nn::Conv2d(4 * width, 1, 4, key.fold_in(7), {.bias = false})};
}

/// Images, and in `kept` the convolutions' results: while those handles live, a second plan goes on
/// from them instead of computing the generator again.
Tensor generate(const nn::Sequential& generator, const Tensor& z, Context& context,
                std::vector<Tensor>& kept) {
  Tensor x = z;
  for (std::size_t i = 0; i < generator.size(); ++i) {
    x = generator[i](x, context);
    if (i % 3 == 0) kept.push_back(x);
  }
  return x;
}

}  // namespace

Workload dcgan28(bool small) {
  const std::int64_t batch = small ? 2 : 64;
  const Key key(0);
  const auto generator = nn::named("generator", make_generator(key));
  const auto discriminator = nn::named("discriminator", make_discriminator(key));
  const optim::AdamOptions options{.lr = 2e-4, .beta1 = 0.5, .beta2 = 0.999};
  const auto for_generator = std::make_shared<optim::Adam>(nn::parameters(generator), options);
  const auto for_discriminator =
      std::make_shared<optim::Adam>(nn::parameters(discriminator), options);
  const Tensor real = random_uniform(Key(2), {batch, 1, 32, 32}, -1, 1).eval();
  const auto step = [=](Noise& noise) {
    Context context = Context::training(Key(0));
    std::vector<Tensor> kept;
    const Tensor z = noise.normal({batch, latent, 1, 1});
    const Tensor fake = generate(generator, z, context, kept);
    const Tensor wrong = mean(softplus(-discriminator(real, context))) +
                         mean(softplus(discriminator(stop_gradient(fake), context)));
    const Tensor first = train(*for_discriminator, wrong, context);
    const Tensor caught = mean(softplus(-discriminator(fake, context)));
    return first + train(*for_generator, caught, context);
  };
  return {nn::states(generator, discriminator), {{"real", real}}, step};
}

Workload dcgan28_sample64(bool small) {
  const std::int64_t batch = small ? 2 : 64;
  const auto generator = nn::named("generator", make_generator(Key(0)));
  const auto step = [=](Noise& noise) {
    return generator(noise.normal({batch, latent, 1, 1})).eval();
  };
  return {nn::states(generator), {}, step};
}

}  // namespace bench
