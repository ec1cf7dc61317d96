// The parts of genera-vae against what theory says of them.
#include <doctest/doctest.h>

#include <genera/data.h>
#include <genera/functions.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "zoo/common/log_sum_exp.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo::vae {
namespace {

constexpr VaeShape small = {
    .channels = 1, .height = 8, .width = 8, .latent = 3, .hidden = 16, .filters = 4};

data::Images some_images(std::int64_t count) {
  return data::open("sprites", {.sprites = {.size = 8, .train = 100, .test = count}}).test();
}

std::shared_ptr<const LatentModel> mlp(std::uint64_t seed) {
  return make_mlp_vae(small, Key(seed));
}

TEST_CASE("LogSumExp is exact where exp alone overflows") {
  LogSumExp sum;
  for (double value : {-1000.0, -1001.0, -999.0}) sum.add(value);
  CHECK(sum.value() == doctest::Approx(-1000 + std::log(1 + std::exp(-1) + std::exp(1))));
  LogSumExp one;
  one.add(3.5);
  CHECK(one.value() == 3.5);
}

TEST_CASE("models give the shapes that they promise") {
  const Tensor x = some_images(5).batch(std::vector<std::int64_t>{0, 1, 2, 3, 4}).images;
  for (const auto& vae :
       {mlp(1), std::shared_ptr<const LatentModel>(make_conv_vae(small, Key(1)))}) {
    const Encoded q = vae->encode(x);
    CHECK(q[0].shape() == Shape{5, 3});
    CHECK(q[1].shape() == Shape{5, 3});
    CHECK(vae->decode(q[0]).shape() == Shape{5, 1, 8, 8});
  }
}

TEST_CASE("the negative ELBO is its formula, number by number") {
  const VaeObjective objective(mlp(2), Likelihood::bernoulli);
  const Tensor x = some_images(4).batch(std::vector<std::int64_t>{0, 1, 2, 3}).images;
  const auto parts = objective.negative_elbo(x, Key(7));
  const Encoded q = objective.model().encode(x);
  const auto logits =
      objective.model().decode(sample_normal({q[0], q[1]}, Key(7))).to_vector<float>();
  const auto pixels = x.to_vector<float>();
  const auto mean = q[0].to_vector<float>(), log_variance = q[1].to_vector<float>();
  const auto reconstruction = parts.reconstruction.to_vector<float>(),
             kl = parts.kl.to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i) {
    double expected = 0, divergence = 0;
    for (std::size_t k = 64 * i; k < 64 * (i + 1); ++k) {
      const double p = 1 / (1 + std::exp(-double{logits[k]}));
      expected -= pixels[k] * std::log(p) + (1 - pixels[k]) * std::log1p(-p);
    }
    for (std::size_t k = 3 * i; k < 3 * (i + 1); ++k)
      divergence -= 0.5 * (1 + log_variance[k] - double{mean[k]} * mean[k] -
                           std::exp(double{log_variance[k]}));
    CHECK(reconstruction[i] == doctest::Approx(expected).epsilon(1e-5));
    CHECK(kl[i] == doctest::Approx(divergence).epsilon(1e-4));
  }
}

TEST_CASE("without information in z, ELBO and IWAE are the exact likelihood") {
  // All weights that z passes through are 0: p(x|z) is the same for every z, and q(z|x) is the
  // prior.
  for (const auto likelihood : {Likelihood::bernoulli, Likelihood::logistic}) {
    const VaeObjective objective(mlp(3), likelihood);
    for (const State& state : objective.parameters())
      if (state.name() == "decoder.0.weight" || state.name() == "encoder.3.weight" ||
          state.name() == "encoder.3.bias")
        state.set(zeros(state.shape()));
    const data::Images images = some_images(130);  // a chunk and a part of one
    const BoundParts parts = negative_elbo_parts(objective, images, false);
    Console console(true);
    const auto bounds = iwae_bounds(objective, images, false, 7, console);
    const auto elbo = parts.negative_elbo();
    REQUIRE(elbo.size() == 130);
    REQUIRE(bounds.size() == 130);
    for (std::size_t i = 0; i < 130; ++i) {
      CHECK(parts.kl[i] == doctest::Approx(0).epsilon(1e-6));
      CHECK(bounds[i] == doctest::Approx(-elbo[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("the IWAE bound with one draw is an ELBO, and rises with the draws") {
  const VaeObjective objective(mlp(4), Likelihood::bernoulli);
  const data::Images images = some_images(200);
  Console console(true);
  const std::vector<double> negative_elbo =
      negative_elbo_parts(objective, images, false).negative_elbo();
  const std::vector<double> single = iwae_bounds(objective, images, false, 1, console);
  const double one = mean_of(single);
  const double ten = mean_of(iwae_bounds(objective, images, false, 10, console));
  const double many = mean_of(iwae_bounds(objective, images, false, 123, console));
  // Both draw one z per image, each its own: equal on average, within 4 standard errors of the mean
  // difference.
  double sum = 0, squares = 0;
  const auto n = static_cast<double>(single.size());
  for (std::size_t i = 0; i < single.size(); ++i) {
    const double difference = single[i] + negative_elbo[i];
    sum += difference;
    squares += difference * difference;
  }
  const double variance = (squares - sum * sum / n) / (n - 1);
  CHECK(std::abs(sum / n) < 4 * std::sqrt(variance / n));
  CHECK(ten > one);
  CHECK(many > ten);
  CHECK(mean_of(iwae_bounds(objective, images, false, 10, console)) == ten);  // fixed noise
}

TEST_CASE("evaluation says its figures with their errors") {
  const data::Images images = some_images(30);
  Console console(true);
  const auto figures =
      evaluate(VaeObjective(mlp(5), Likelihood::logistic), images, false, 2, console);
  REQUIRE(figures.size() == 6);
  CHECK(figures[0].name == "negative_elbo");
  CHECK(figures[1].value == -figures[0].value);
  CHECK(figures[2].value + figures[3].value == doctest::Approx(figures[0].value));
  CHECK(figures[4].name == "bits_per_dim");
  CHECK(figures[4].value == doctest::Approx(figures[0].value / 64 / std::log(2)));
  CHECK(figures[5].name == "iwae");
  for (const Figure& figure : figures) CHECK(figure.standard_error >= 0);
}

TEST_CASE("targets: themselves, or draws with their mean") {
  const Tensor grey = full({1000, 1, 1, 4}, 0.3);
  CHECK(target(grey, false, Key(1)).to_vector<float>() == grey.to_vector<float>());
  double sum_of_draws = 0;
  for (float value : target(grey, true, Key(1)).to_vector<float>()) {
    CHECK((value == 0 || value == 1));
    sum_of_draws += value;
  }
  CHECK(sum_of_draws / 4000 == doctest::Approx(0.3).epsilon(0.1));
}

TEST_CASE("pictures: shapes, ranges, and images that do not depend on how many there are") {
  const VaeObjective objective(mlp(6), Likelihood::bernoulli);
  const auto few = sample_images(objective, 3, 1, false),
             many = sample_images(objective, 9, 1, false);
  CHECK(many.shape == Shape{9, 1, 8, 8});
  const auto a = few.as<float>(), b = many.as<float>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
    CHECK((a[i] >= 0 && a[i] <= 1));
  }
  const auto draws = sample_images(objective, 3, 1, true);
  for (float value : draws.as<float>()) CHECK((value == 0 || value == 1));
  const data::Images images = some_images(6);
  CHECK(reconstructed_images(objective, images, {0, 1, 2, 3, 4}, 3).shape == Shape{10, 1, 8, 8});
  CHECK(interpolated_images(objective, images, {0, 1, 2, 3}, 5, true).shape == Shape{14, 1, 8, 8});
}

}  // namespace
}  // namespace genera::zoo::vae
