// The models of genera-vae that are more than one normal z: bounds against closed forms, the discrete
// ones number by number.
#include <doctest/doctest.h>

#include <genera/data.h>
#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "zoo/vae/evaluation.h"
#include "zoo/vae/ladder_vae.h"
#include "zoo/vae/pictures.h"
#include "zoo/vae/vq_vae.h"

namespace genera::zoo::vae {
namespace {

constexpr VaeShape small = {.channels = 1,
                            .height = 8,
                            .width = 8,
                            .latent = 3,
                            .hidden = 16,
                            .filters = 4,
                            .layers = 2,
                            .codes = 6,
                            .classes = 4};

data::Images some_images(std::int64_t count) {
  return data::open("sprites", {.sprites = {.size = 8, .train = 100, .test = count}}).test();
}

std::vector<std::shared_ptr<const LatentModel>> all_models(std::uint64_t seed) {
  std::vector<std::shared_ptr<const LatentModel>> models;
  models.emplace_back(make_mlp_vae(small, Key(seed)));
  models.emplace_back(make_conv_vae(small, Key(seed)));
  models.emplace_back(make_conditional_vae(small, Key(seed)));
  models.emplace_back(make_ladder_vae(small, Key(seed)));
  models.emplace_back(make_vq_vae(small, Key(seed)));
  return models;
}

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

// ---- Linear models with normal noise, whose likelihood is known ----
//
// Images of 2 x 2 pixels, z of 2 dimensions: x = W z + noise of deviation `sigma`, where W has the
// orthogonal columns scale_k direction_k. Then p(z|x) is normal with independent dimensions too.

constexpr double sigma = 0.4;
constexpr double scale[2] = {1.3, 0.7};
constexpr double direction[2][4] = {{.5, .5, .5, .5}, {.5, -.5, .5, -.5}};

nn::Linear linear(std::int64_t in, std::int64_t out, const std::vector<float>& weight,
                  const std::vector<float>& bias) {
  nn::Linear layer(in, out, Key(0));
  layer.weight().set(Tensor::from(weight, Shape{out, in}));
  layer.bias().set(Tensor::from(bias, Shape{out}));
  return layer;
}

nn::Sequential one(nn::Linear layer) {
  nn::Sequential sequential;
  sequential.add(std::move(layer));
  return sequential;
}

nn::Sequential decoder_of_lines() {
  std::vector<float> weight;
  for (int pixel = 0; pixel < 4; ++pixel)
    for (int k = 0; k < 2; ++k)
      weight.push_back(static_cast<float>(scale[k] * direction[k][pixel]));
  return nn::Sequential(linear(2, 4, weight, {0, 0, 0, 0}), nn::Reshape({1, 2, 2}));
}

// (mean, log variance) that are gain_k direction_k^T x + shift_k and log(variance_k).
nn::Linear encoder_of_lines(const double (&gain)[2], const double (&shift)[2],
                            const double (&variance)[2]) {
  std::vector<float> weight(16, 0), bias(4);
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t pixel = 0; pixel < 4; ++pixel)
      weight[4 * k + pixel] = static_cast<float>(gain[k] * direction[k][pixel]);
    bias[k] = static_cast<float>(shift[k]);
    bias[2 + k] = static_cast<float>(std::log(variance[k]));
  }
  return linear(4, 4, weight, bias);
}

const std::vector<float> some_pixels = {0.3f, -1.2f, 2.0f, 0.1f,  //
                                        1.5f, 0.4f,  -.6f, -.7f,  //
                                        0.0f, 0.0f,  0.0f, 0.0f};

// log N(x; the two directions' means, variance_k along them and sigma^2 elsewhere).
double log_normal(const float* x, const double (&mean)[2], const double (&variance)[2]) {
  double along[2] = {0, 0}, square_length = 0;
  for (int pixel = 0; pixel < 4; ++pixel) square_length += double{x[pixel]} * x[pixel];
  for (int k = 0; k < 2; ++k)
    for (int pixel = 0; pixel < 4; ++pixel) along[k] += direction[k][pixel] * x[pixel];
  const double elsewhere = square_length - along[0] * along[0] - along[1] * along[1];
  double result = -0.5 * elsewhere / (sigma * sigma) - 2 * std::log(sigma);
  for (int k = 0; k < 2; ++k)
    result -= 0.5 * (along[k] - mean[k]) * (along[k] - mean[k]) / variance[k] +
              0.5 * std::log(variance[k]);
  return result - 2 * std::log(2 * std::numbers::pi);
}

// (B) under the decoder's output.
Tensor log_likelihood(const Tensor& x, const Tensor& output) {
  return sum(normal_log_density(x, output, full_like(output, 2 * std::log(sigma))), {1, 2, 3});
}

// With the exact posterior for q every importance weight is p(x), and the ELBO is log p(x).
void check_exact(const LatentModel& model, const double (&mean)[2], const double (&variance)[2]) {
  constexpr std::int64_t draws = 4000;
  const Tensor x = Tensor::from(some_pixels, Shape{3, 1, 2, 2});
  Encoded repeated;
  for (const Tensor& part : model.encode(x)) repeated.push_back(repeat(part, draws, 0));
  const LatentDraw drawn = model.draw(repeated, Key(5));
  const Tensor likelihood = log_likelihood(repeat(x, draws, 0), drawn.output);
  const Tensor weights = reshape(likelihood + drawn.log_ratio, {3, draws});
  const auto log_weights = weights.to_vector<float>();
  const auto bounds = iwae_bound(weights).to_vector<float>();
  const auto elbo = (likelihood - drawn.kl).to_vector<float>();
  for (std::size_t i = 0; i < 3; ++i) {
    const double expected = log_normal(some_pixels.data() + 4 * i, mean, variance);
    double sum = 0, squares = 0;
    bool equal = true;
    for (std::size_t k = i * draws; k < (i + 1) * draws; ++k) {
      equal = equal && near(log_weights[k], expected, 2e-4);
      sum += elbo[k];
      squares += double{elbo[k]} * elbo[k];
    }
    CHECK(equal);
    CHECK(near(bounds[i], expected, 2e-4));
    const double average = sum / draws;
    const double error = std::sqrt((squares / draws - average * average) / draws);
    CHECK(error > 0);
    CHECK(near(average, expected, 4 * error));
  }
}

TEST_CASE("linear-normal VAE: ELBO and IWAE are the likelihood when q is the posterior") {
  double gain[2], variance[2], of_x[2];
  for (int k = 0; k < 2; ++k) {
    const double precision = 1 + scale[k] * scale[k] / (sigma * sigma);
    gain[k] = scale[k] / (sigma * sigma) / precision;
    variance[k] = 1 / precision;
    of_x[k] = scale[k] * scale[k] + sigma * sigma;
  }
  VaeShape shape = small;
  shape.height = shape.width = shape.latent = 2;
  const Vae vae(shape, nn::Sequential(nn::Flatten{}, encoder_of_lines(gain, {0, 0}, variance)),
                decoder_of_lines());
  check_exact(vae, {0, 0}, of_x);
}

// The same with z_1 = a z_2 + c + noise of variance s^2, in each dimension.
TEST_CASE("linear-normal ladder: ELBO and IWAE are the likelihood when q is the posterior") {
  constexpr double a[2] = {0.8, -1.1}, c[2] = {0.5, -0.3}, s2[2] = {0.3, 0.6};
  double gain_1[2], variance_1[2], gain_2[2], shift_2[2], variance_2[2], mean[2], of_x[2];
  for (int k = 0; k < 2; ++k) {
    // What x alone says of z_1: direction^T x / scale, with the noise seen through it.
    gain_1[k] = 1 / scale[k];
    variance_1[k] = sigma * sigma / (scale[k] * scale[k]);
    const double given_z2 = s2[k] + variance_1[k];
    const double precision = 1 + a[k] * a[k] / given_z2;
    gain_2[k] = a[k] / given_z2 / precision * gain_1[k];
    shift_2[k] = -a[k] / given_z2 / precision * c[k];
    variance_2[k] = 1 / precision;
    mean[k] = scale[k] * c[k];
    of_x[k] = scale[k] * scale[k] * (a[k] * a[k] + s2[k]) + sigma * sigma;
  }
  const auto f = [](double value) { return static_cast<float>(value); };
  const nn::Linear prior = linear(2, 4, {f(a[0]), 0, 0, f(a[1]), 0, 0, 0, 0},
                                  {f(c[0]), f(c[1]), f(std::log(s2[0])), f(std::log(s2[1]))});
  nn::Sequential flat, same;
  flat.add(nn::Flatten{});
  same.add(nn::Flatten{});
  VaeShape shape = small;
  shape.height = shape.width = shape.latent = 2;
  const LadderVae ladder(shape,
                         {{flat, one(encoder_of_lines(gain_1, {0, 0}, variance_1)), one(prior)},
                          {same, one(encoder_of_lines(gain_2, shift_2, variance_2)), {}}},
                         decoder_of_lines());
  check_exact(ladder, mean, of_x);
}

TEST_CASE("combine_normals is the product of the densities, up to a factor") {
  const auto of = [](float value) { return Tensor::from({value}, Shape{1, 1}); };
  const Normal a{of(0.7f), of(-1.1f)}, b{of(-1.9f), of(0.4f)};
  const Normal c = combine_normals(a, b);
  const auto excess = [&](float z) {
    return (normal_log_density(of(z), a.mean, a.log_variance) +
            normal_log_density(of(z), b.mean, b.log_variance) -
            normal_log_density(of(z), c.mean, c.log_variance))
        .item<double>();
  };
  for (float z : {-3.0f, -0.5f, 1.0f, 4.0f}) CHECK(near(excess(z), excess(0), 1e-5));
}

TEST_CASE(
    "iwae_bound: of one draw that draw, of many the log of their mean, with their weights as "
    "gradient") {
  const Tensor single = Tensor::from({-3.f, -700.f}, Shape{2, 1});
  CHECK(iwae_bound(single).to_vector<float>() == std::vector<float>{-3, -700});
  const Tensor weights = Tensor::from({-801.f, -800.f, -803.f}, Shape{1, 3});
  const double total = std::exp(-1) + 1 + std::exp(-3);
  CHECK(near(iwae_bound(weights).item<double>(), -800 + std::log(total / 3), 1e-4));
  const auto gradient = grad(sum(iwae_bound(weights)), {weights})[0].to_vector<float>();
  CHECK(near(gradient[0], std::exp(-1) / total, 1e-6));
  CHECK(near(gradient[1], 1 / total, 1e-6));
}

TEST_CASE("every model: shapes, and an IWAE bound of one draw that is an ELBO") {
  const data::Images images = some_images(300);
  const data::Batch few = images.batch(std::vector<std::int64_t>{0, 1, 2});
  Console console(true);
  for (const auto& model : all_models(3)) {
    const Encoded encoded = model->encode(few.images, few.labels);
    const LatentDraw drawn = model->draw(encoded, Key(1));
    CHECK(drawn.output.shape() == Shape{3, 1, 8, 8});
    CHECK(drawn.kl.shape() == Shape{3});
    CHECK(drawn.log_ratio.shape() == Shape{3});
    CHECK(model->reconstruct(encoded).shape() == Shape{3, 1, 8, 8});
    CHECK(model->decode(model->point(encoded)).shape() == Shape{3, 1, 8, 8});
    const VaeObjective objective(model, Likelihood::bernoulli);
    const auto negative = negative_elbo_parts(objective, images, false).negative_elbo();
    const auto bounds = iwae_bounds(objective, images, false, 1, console);
    double total = 0, squares = 0;
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const double difference = bounds[i] + negative[i];
      total += difference;
      squares += difference * difference;
    }
    const auto n = static_cast<double>(bounds.size());
    const double error = std::sqrt((squares - total * total / n) / (n - 1) / n);
    CHECK(std::abs(total / n) <= 4 * error + 1e-4);
  }
}

TEST_CASE("every model: image i of a sample does not depend on how many there are") {
  for (const auto& model : all_models(4)) {
    const VaeObjective objective(model, Likelihood::bernoulli);
    const auto labels = model->conditional() ? cycled_labels(9, 4) : std::vector<std::int32_t>{};
    const auto first = labels.empty() ? labels : cycled_labels(3, 4);
    const auto few = sample_images(objective, 3, 1, false, first);
    const auto many = sample_images(objective, 9, 1, false, labels);
    const auto a = few.as<float>(), b = many.as<float>();
    bool equal = true;
    for (std::size_t i = 0; i < a.size(); ++i) equal = equal && near(a[i], b[i], 1e-5);
    CHECK(equal);
  }
}

TEST_CASE("the conditional model shows the class it is asked for to both sides") {
  const std::unique_ptr<LatentModel> model = make_conditional_vae(small, Key(2));
  const auto label = [](std::int32_t value) { return Tensor::from({value}, Shape{1}); };
  const Tensor x = some_images(1).batch(std::vector<std::int64_t>{0}).images;
  const Encoded a = model->encode(x, label(0)), b = model->encode(x, label(3));
  CHECK(a[0].to_vector<float>() != b[0].to_vector<float>());
  const Encoded swapped = {a[0], a[1], b[2], b[3]};
  CHECK(model->reconstruct(a).to_vector<float>() != model->reconstruct(swapped).to_vector<float>());
  CHECK(model->generate(1, Key(1), label(0)).to_vector<float>() !=
        model->generate(1, Key(1), label(3)).to_vector<float>());
  CHECK_THROWS_AS(model->encode(x), ArgumentError);
  // A class's own prior: KL is against it, and samples are drawn from it.
  for (const State& state : model->parameters())
    if (state.name() == "prior.weight") state.set(random_normal(Key(8), state.shape()));
  constexpr std::int64_t draws = 4000;
  for (std::int32_t asked : {1, 2}) {
    const Encoded encoded = model->encode(x, label(asked));
    Encoded repeated;
    for (const Tensor& part : encoded) repeated.push_back(repeat(part, draws, 0));
    const LatentDraw drawn = model->draw(repeated, Key(6));
    const auto ratio = drawn.log_ratio.to_vector<float>();
    const double kl = drawn.kl.to_vector<float>()[0];
    double total = 0, squares = 0;
    for (float value : ratio) {
      total += value;
      squares += double{value} * value;
    }
    const double average = total / draws;
    const double error = std::sqrt((squares / draws - average * average) / draws);
    CHECK(near(-average, kl, 4 * error));
    CHECK(kl > 1);
    CHECK(std::abs(kl - sum(kl_standard_normal(encoded[0], encoded[1])).item<double>()) > 0.1);
  }
  CHECK_THROWS_AS(model->generate(1, Key(1)), ArgumentError);
}

TEST_CASE("the conditional model's classifier: taught by real images, teaches the decoder") {
  const std::shared_ptr<LatentModel> model = make_conditional_vae(small, Key(2));
  const data::Batch few = some_images(3).batch(std::vector<std::int64_t>{0, 1, 2});
  const Tensor means = random_uniform(Key(3), few.images.shape());
  const Tensor real = model->encode(few.images, few.labels)[3];
  const Tensor decoded = model->encode(means, few.labels)[3];
  const Tensor penalty = model->penalty(model->encode(few.images, few.labels), means);
  REQUIRE(penalty.shape() == Shape{3});
  CHECK(max(abs(penalty - (real + 10.0 * decoded))).item<double>() < 1e-4);

  const Tensor through = grad(sum(penalty), {means})[0];
  const Tensor expected = 10.0 * grad(sum(decoded), {means})[0];
  CHECK(max(abs(expected)).item<double>() > 1e-3);
  CHECK(max(abs(through - expected)).item<double>() < 1e-5);
  for (const State& state : model->parameters()) {
    if (state.name().rfind("encoder", 0) != 0) continue;
    const Tensor difference = grad(sum(penalty), {state})[0] - grad(sum(real), {state})[0];
    CHECK(max(abs(difference)).item<double>() < 1e-6);
  }

  const VaeObjective objective(model, Likelihood::bernoulli);
  const auto parts = objective.negative_elbo(few.images, Key(1), few.labels);
  CHECK(parts.penalty.shape() == Shape{3});
  for (const State& state : model->parameters())
    if (state.name() == "decoder.0.weight")
      CHECK(max(abs(grad(sum(parts.penalty), {state})[0])).item<double>() > 1e-3);
}

// ---- PixelCNN ----

Tensor as_codes(const std::vector<std::int32_t>& codes, std::int64_t height, std::int64_t width) {
  const auto count = static_cast<std::int64_t>(codes.size()) / (height * width);
  return Tensor::from(codes, Shape{count, height, width});
}

TEST_CASE("PixelCNN: a position's logits see all positions before it, and no other") {
  constexpr std::int64_t side = 7, positions = side * side;
  const GatedPixelCnn prior({.values = 5, .height = side, .width = side, .features = 8}, Key(1));
  std::vector<std::int32_t> codes;
  for (std::int32_t i = 0; i < positions; ++i) codes.push_back(i % 5);
  const auto before = prior.logits(as_codes(codes, side, side)).to_vector<float>();
  REQUIRE(before.size() == 5 * positions);
  for (std::size_t changed = 0; changed < positions; ++changed) {
    std::vector<std::int32_t> others = codes;
    others[changed] = (others[changed] + 2) % 5;
    const auto after = prior.logits(as_codes(others, side, side)).to_vector<float>();
    for (std::size_t seen_by = 0; seen_by < positions; ++seen_by) {
      const bool same = std::equal(before.begin() + static_cast<std::ptrdiff_t>(5 * seen_by),
                                   before.begin() + static_cast<std::ptrdiff_t>(5 * seen_by + 5),
                                   after.begin() + static_cast<std::ptrdiff_t>(5 * seen_by));
      CAPTURE(changed);
      CAPTURE(seen_by);
      CHECK(same == (seen_by <= changed));
    }
  }
}

TEST_CASE("PixelCNN: probabilities sum to one, and samples have them") {
  const GatedPixelCnn prior({.values = 2, .height = 2, .width = 2, .features = 6, .layers = 2},
                            Key(3));
  for (const State& state : prior.parameters())  // far from uniform
    state.set((state.value() * 3.0).eval());
  std::vector<std::int32_t> every;
  for (int code = 0; code < 16; ++code)
    for (int bit = 0; bit < 4; ++bit) every.push_back(code >> bit & 1);
  const auto nll = prior.negative_log_likelihood(as_codes(every, 2, 2)).to_vector<float>();
  std::vector<double> probability;
  for (float value : nll) probability.push_back(std::exp(-double{value}));
  CHECK(near(std::accumulate(probability.begin(), probability.end(), 0.0), 1, 1e-5));
  CHECK(*std::max_element(probability.begin(), probability.end()) > 0.12);

  constexpr int draws = 20000;
  const auto drawn = prior.sample(draws, Key(9)).to_vector<std::int32_t>();
  std::vector<double> counts(16, 0);
  for (std::size_t i = 0; i < draws; ++i) {
    std::size_t code = 0;
    for (std::size_t bit = 0; bit < 4; ++bit)
      code |= static_cast<std::size_t>(drawn[4 * i + bit]) << bit;
    ++counts[code];
  }
  for (std::size_t code = 0; code < 16; ++code) {
    const double p = probability[code];
    CAPTURE(p * draws);
    CAPTURE(counts[code]);
    // A code that is expected less than once may come once or twice all the same.
    CHECK(near(counts[code], p * draws, 4.5 * std::sqrt(p * (1 - p) * draws) + 2));
  }
}

// ---- VQ-VAE ----

TEST_CASE("codebook: the nearest code, and averages that follow what goes there") {
  const Codebook book(3, 2, Key(1));
  const auto states = book.states();
  states[0].set(Tensor::from({0.f, 0.f, 4.f, 0.f, 0.f, 9.f}, Shape{3, 2}));
  states[1].set(Tensor::from({2.f, 3.f, 0.1f}, Shape{3}));
  states[2].set(Tensor::from({0.f, 0.f, 12.f, 0.f, 0.f, 4.5f}, Shape{3, 2}));
  const Tensor z = Tensor::from({1.f, 1.f, 3.f, -1.f, 2.5f, 0.f, 1.f, -2.f}, Shape{4, 2});
  const Tensor nearest = book.nearest(z);
  CHECK(nearest.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 1, 0});
  commit(book.follow(z, nearest, Key(7)));
  const auto vectors = states[0].value().to_vector<float>();
  const auto counts = states[1].value().to_vector<float>();
  CHECK(near(counts[0], 0.99 * 2 + 0.01 * 2, 1e-5));
  CHECK(near(counts[1], 0.99 * 3 + 0.01 * 2, 1e-5));
  CHECK(near(vectors[0], 0.01 * (1 + 1) / counts[0], 1e-4));
  CHECK(near(vectors[1], 0.01 * (1 - 2) / counts[0], 1e-4));
  CHECK(near(vectors[2], (0.99 * 12 + 0.01 * (3 + 2.5)) / counts[1], 1e-4));
  // The third code's count fell below a tenth: it is one of the rows now.
  CHECK(counts[2] == 1);
  const auto rows = z.to_vector<float>();
  int found = 0;
  for (std::size_t i = 0; i < 4; ++i)
    found += vectors[4] == rows[2 * i] && vectors[5] == rows[2 * i + 1] ? 1 : 0;
  CHECK(found == 1);
  CHECK(states[2].value().to_vector<float>()[5] == vectors[5]);
}

TEST_CASE("codebook: a code that nothing goes to is set where codes are far") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Codebook book(4, 1, Key(1));
    const auto states = book.states();
    states[0].set(Tensor::from({0.f, 1.f, 50.f, 60.f}, Shape{4, 1}));
    states[1].set(Tensor::from({9.f, 9.f, 0.01f, 0.01f}, Shape{4}));
    const Tensor z = Tensor::from({0.f, 1.f, 0.f, 7.f, 1.f, -5.f, 0.f}, Shape{7, 1});
    commit(book.follow(z, book.nearest(z), Key(seed)));
    const auto vectors = states[0].value().to_vector<float>();
    CHECK(std::min(vectors[2], vectors[3]) == -5);
    CHECK(std::max(vectors[2], vectors[3]) == 7);
  }
  const Codebook large(5, 1, Key(1));
  const Tensor z = Tensor::from({3.f, 4.f}, Shape{2, 1});
  large.states()[1].set(zeros({5}));
  commit(large.follow(z, large.nearest(z), Key(1)));  // fewer rows than codes
  for (float value : large.states()[0].value().to_vector<float>())
    CHECK((value == 3 || value == 4));
}

TEST_CASE("VQ-VAE: straight-through gradient, commitment, and a bound from the prior") {
  VaeShape shape = small;
  nn::Sequential encoder, decoder;
  encoder.add(nn::Conv2d(1, 3, 4, Key(0), {.stride = 4}));
  const nn::Conv2d last(3, 1, 1, Key(1));
  decoder.add(last);
  const VqVae model(shape, encoder, decoder, Key(2));
  const Tensor z = random_normal(Key(3), {2, 3, 2, 2});
  const LatentDraw drawn = model.draw({z}, Key(4));
  const Tensor rows = reshape(move_axis(z, 1, -1), {8, 3});
  const Tensor nearest = model.codebook().nearest(rows);
  const Tensor quantized =
      move_axis(reshape(model.codebook().vectors(nearest), {2, 2, 2, 3}), -1, 1);
  CHECK(max(abs(drawn.output - last(quantized))).item<double>() < 1e-6);

  // The decoder is linear: its gradient, and by the straight-through estimator that of z, is its weight.
  const auto through = grad(sum(drawn.output), {z})[0].to_vector<float>();
  const auto weight = last.weight().value().to_vector<float>();
  for (std::size_t i = 0; i < through.size(); ++i) CHECK(near(through[i], weight[i / 4 % 3], 1e-6));

  const Tensor pull = grad(sum(drawn.penalty), {z})[0];
  CHECK(max(abs(pull - 0.5 * (z - quantized))).item<double>() < 1e-6);
  CHECK(near(sum(drawn.penalty).item<double>(), 0.25 * sum(square(z - quantized)).item<double>(),
             1e-4));

  const Tensor nll = model.prior().negative_log_likelihood(reshape(nearest, Shape{2, 2, 2}));
  CHECK(drawn.kl.to_vector<float>() == nll.to_vector<float>());
  CHECK(drawn.log_ratio.to_vector<float>() == (-nll).to_vector<float>());
  // The codes are what the prior learns from; they learn nothing from it.
  CHECK(grad(sum(drawn.kl), {z})[0].to_vector<float>() == std::vector<float>(24, 0));
}

}  // namespace
}  // namespace genera::zoo::vae
