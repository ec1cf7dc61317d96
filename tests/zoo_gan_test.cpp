// The parts of genera-gan against what theory says of them.
#include <doctest/doctest.h>

#include <genera/autodiff.h>
#include <genera/functions.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "zoo/common/saved_states.h"
#include "zoo/common/symmetric_eigen.h"
#include "zoo/gan/experiment.h"
#include "zoo/gan/grid.h"
#include "zoo/gan/objective.h"
#include "zoo/gan/sampling.h"
#include "zoo/gan/spectral_norm.h"
#include "zoo/gan/table.h"

namespace genera::zoo::gan {
namespace {

using Values = std::vector<double>;

Values normal_values(std::uint64_t seed, const Shape& shape, double scale = 1) {
  const auto draws = random_normal(Key(seed), shape).to_vector<float>();
  Values values(draws.begin(), draws.end());
  for (double& value : values) value *= scale;
  return values;
}

// The gradient of f at the values of `shape`, by central differences, against that of autodiff.
void check_gradient(const Values& values, const Shape& shape,
                    const std::function<Tensor(const Tensor&)>& f) {
  const Tensor at = Tensor::from(values, shape);
  const auto gradient = grad(f(at), {at})[0].to_vector<double>();
  constexpr double step = 1e-5;
  double largest = 0;
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  REQUIRE(largest > 1e-3);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Values up = values, down = values;
    up[i] += step;
    down[i] -= step;
    const double difference =
        (f(Tensor::from(up, shape)).item<double>() - f(Tensor::from(down, shape)).item<double>()) /
        (2 * step);
    CHECK(std::abs(gradient[i] - difference) < 1e-7 * std::max(1.0, largest));
  }
}

TEST_CASE("the gradient penalty's gradient agrees with finite differences: fully connected") {
  const Tensor x = Tensor::from(normal_values(1, {6, 3}), {6, 3});
  const Tensor second = Tensor::from(normal_values(2, {1, 5}), {1, 5});
  check_gradient(normal_values(3, {5, 3}), {5, 3}, [&](const Tensor& first) {
    return gradient_penalty_at(
        [&](const Tensor& points) { return linear(softplus(linear(points, first)), second); }, x);
  });
}

TEST_CASE("the gradient penalty's gradient agrees with finite differences: convolutions") {
  const Tensor x = Tensor::from(normal_values(4, {2, 1, 6, 6}), {2, 1, 6, 6});
  const Shape first_shape{3, 1, 4, 4}, second_shape{2, 3, 4, 4};
  const Values first_values = normal_values(5, first_shape, 0.3);
  const Tensor second = Tensor::from(normal_values(6, second_shape, 0.3), second_shape);
  const auto scores = [&](const Tensor& images, const Tensor& first, const Tensor& after) {
    const ConvOptions options{.stride = {2}, .pad_lo = {1}};
    const Tensor hidden = leaky_relu(conv2d(images, first, {}, options), 0.2);
    return sum(tanh(conv2d(hidden, after, {}, options)), {1, 2, 3});
  };
  check_gradient(first_values, first_shape, [&](const Tensor& first) {
    return gradient_penalty_at([&](const Tensor& p) { return scores(p, first, second); }, x);
  });
  const Tensor first = Tensor::from(first_values, first_shape);
  check_gradient(normal_values(6, second_shape, 0.3), second_shape, [&](const Tensor& after) {
    return gradient_penalty_at([&](const Tensor& p) { return scores(p, first, after); }, x);
  });
}

TEST_CASE("the gradient penalty is that of each example, on the lines between pairs") {
  // A linear critic has the gradient w everywhere: (|w| - 1)^2 with |w| = 5.
  const Tensor w = Tensor::from<float>({3, 4}, {1, 2});
  const Tensor real = Tensor::from<float>({0, 0, 2, 2, 5, 5}, {3, 2});
  const Tensor made = Tensor::from<float>({1, 1, 2, 2, 9, 5}, {3, 2});
  Tensor seen;
  const auto critic = [&](const Tensor& x) {
    seen = x;
    return reshape(linear(x, w), {-1});
  };
  CHECK(gradient_penalty(critic, real, made, Key(8)).item<double>() == doctest::Approx(16));
  const auto points = seen.to_vector<float>();
  CHECK(points[0] == points[1]);
  CHECK(points[0] > 0);
  CHECK(points[0] < 1);
  CHECK(points[2] == doctest::Approx(2));
  CHECK(points[5] == doctest::Approx(5));
  CHECK((points[4] - 5) / 4 != doctest::Approx(1 - points[0]));  // each pair has a share of its own
}

TEST_CASE("losses are their formulas") {
  const Tensor real = Tensor::from<float>({2, -1, 0.5}, {3}),
               made = Tensor::from<float>({-2, 3, 0}, {3});
  const auto value = [&](GanLoss loss) {
    return std::pair{discriminator_loss(loss, real, made).item<double>(),
                     generator_loss(loss, made).item<double>()};
  };
  const auto p = [](double score) { return 1 / (1 + std::exp(-score)); };
  const auto [d0, g0] = value(GanLoss::nonsaturating);
  CHECK(d0 == doctest::Approx(-(std::log(p(2)) + std::log(p(-1)) + std::log(p(0.5)) +
                                std::log(1 - p(-2)) + std::log(1 - p(3)) + std::log(1 - p(0))) /
                              3));
  CHECK(g0 == doctest::Approx(-(std::log(p(-2)) + std::log(p(3)) + std::log(p(0))) / 3));
  const auto [d1, g1] = value(GanLoss::least_squares);
  CHECK(d1 == doctest::Approx((1 + 4 + 0.25 + 4 + 9 + 0) / 6));
  CHECK(g1 == doctest::Approx((9 + 4 + 1) / 6.0));
  const auto [d2, g2] = value(GanLoss::hinge);
  CHECK(d2 == doctest::Approx((0 + 2 + 0.5 + 0 + 4 + 1) / 3));
  CHECK(g2 == doctest::Approx(-1 / 3.0));
  const auto [d3, g3] = value(GanLoss::wasserstein);
  CHECK(d3 == doctest::Approx(1 / 3.0 - 0.5));
  CHECK(g3 == doctest::Approx(-1 / 3.0));
}

// The largest singular value of a matrix (rows,columns).
double largest_singular_value(const std::vector<float>& matrix, std::size_t rows) {
  const std::size_t columns = matrix.size() / rows;
  Values gram(rows * rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < rows; ++j)
      for (std::size_t k = 0; k < columns; ++k)
        gram[i * rows + j] += double{matrix[i * columns + k]} * matrix[j * columns + k];
  const Values values = symmetric_eigen(gram, rows).values;
  return std::sqrt(*std::max_element(values.begin(), values.end()));
}

TEST_CASE("spectral normalisation comes to the largest singular value 1 by power iteration") {
  const Shape shape{6, 2, 3, 3};
  const State weight("weight", random_normal(Key(9), shape));
  const SpectralNorm norm(shape, Key(10));
  const double sigma = largest_singular_value(weight.value().to_vector<float>(), 6);
  double error = 1e9;
  for (int round = 0; round < 60; ++round) {
    Context context = Context::training(Key(0));
    const Tensor normalised = norm.normalised(weight, context);
    const double now = largest_singular_value(normalised.to_vector<float>(), 6);
    CHECK(now >= 1 - 1e-4);  // u^T W v is never more than the largest singular value
    CHECK(std::abs(now - 1) <= error + 1e-5);
    error = std::abs(now - 1);
    commit(context.take_updates());
  }
  CHECK(error < 1e-4);
  // Inference keeps u, and gives the same weight.
  Context inference;
  const auto before = norm.u().value().to_vector<float>();
  const auto normalised = norm.normalised(weight, inference).to_vector<float>();
  CHECK(inference.take_updates().empty());
  CHECK(norm.u().value().to_vector<float>() == before);
  const auto raw = weight.value().to_vector<float>();
  for (std::size_t i = 0; i < raw.size(); ++i)
    CHECK(normalised[i] * sigma == doctest::Approx(raw[i]).epsilon(1e-3));
}

TEST_CASE("spectral normalisation's gradient is equation 12 of its paper") {
  // d<A,W/sigma>/dW = (A - <A,W/sigma> u v^T) / sigma, u and v the singular vectors.
  const Shape shape{2, 2};
  const State weight("weight", Tensor::from<float>({3, 0, 0, 1}, shape));
  const SpectralNorm norm(shape, Key(11));
  for (int round = 0; round < 30; ++round) {
    Context context = Context::training(Key(0));
    norm.normalised(weight, context);
    commit(context.take_updates());
  }
  Context inference;
  const Tensor a = Tensor::from<float>({1, 2, 3, 4}, shape);
  const auto gradient =
      grad(sum(a * norm.normalised(weight, inference)), {weight})[0].to_vector<float>();
  const double inner = (3 * 1 + 1 * 4) / 3.0;
  const std::vector<double> expected = {(1 - inner) / 3, 2 / 3.0, 1, 4 / 3.0};
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(gradient[i] == doctest::Approx(expected[i]).epsilon(1e-4));
}

TEST_CASE("networks give the shapes that they promise, and labels matter") {
  Context context;
  for (const auto norm : {CriticNorm::none, CriticNorm::batch, CriticNorm::spectral})
    for (const bool convolutions : {true, false})
      for (const std::int64_t classes : {0, 3}) {
        const GanShape shape{.example = {1, 8, 12},
                             .classes = classes,
                             .latent = 5,
                             .width = 32,
                             .critic_norm = norm};
        const Gan gan = convolutions ? make_dcgan(shape, Key(1)) : make_mlp_gan(shape, Key(1));
        const Tensor z = random_normal(Key(2), {4, 5});
        const Tensor one = Tensor::from<std::int32_t>({0, 1, 2, 0}, {4});
        const Tensor other = Tensor::from<std::int32_t>({0, 2, 2, 0}, {4});
        const Tensor x = gan.generator.generate(z, one, context);
        REQUIRE(x.shape() == Shape{4, 1, 8, 12});
        REQUIRE(gan.discriminator.score(x, one, context).shape() == Shape{4});
        const auto with_one = gan.discriminator.score(x, one, context).to_vector<float>();
        const auto with_other = gan.discriminator.score(x, other, context).to_vector<float>();
        CHECK(with_one[0] == with_other[0]);
        CHECK((with_one[1] != with_other[1]) == (classes > 0));
        const auto made = gan.generator.generate(z, other, context).to_vector<float>();
        const auto first = x.to_vector<float>();
        CHECK(made[0] == first[0]);
        const bool same = std::equal(first.begin() + 96, first.begin() + 192, made.begin() + 96);
        CHECK(same == (classes == 0));
      }
}

TEST_CASE("a packed discriminator scores neighbours as one") {
  const GanShape shape{
      .example = {2}, .latent = 2, .width = 8, .pack = 2, .critic_norm = CriticNorm::none};
  const Gan gan = make_mlp_gan(shape, Key(1));
  const Tensor x = random_normal(Key(2), {6, 2});
  Context context;
  const auto scores = gan.discriminator.score(x, {}, context).to_vector<float>();
  REQUIRE(scores.size() == 3);
  const auto second = gan.discriminator.score(slice(x, 0, 2, 4), {}, context).to_vector<float>();
  CHECK(scores[1] == doctest::Approx(second[0]));
}

TEST_CASE("the grid's coverage counts modes and near points") {
  // Two at (0,0), one of them 3.2 deviations off; one at (4,-4); one between modes; one far away.
  const std::vector<float> points = {0.1f, 0, 0, 0.16f, 4, -4.1f, 0.9f, 2, 30, 0};
  const GridCoverage c = grid_coverage(points);
  CHECK(c.modes == 2);
  CHECK(c.high_quality == doctest::Approx(0.4));
  // Nearest modes: (0,0) twice, (4,-4), (0,2), (4,0).
  CHECK(c.reverse_kl == doctest::Approx(0.4 * std::log(0.4 * 25) + 3 * 0.2 * std::log(0.2 * 25)));
  const auto drawn = grid_points(Key(3), 20000).to_vector<float>();
  const GridCoverage truth = grid_coverage(drawn);
  CHECK(truth.modes == 25);
  CHECK(std::abs(truth.high_quality - (1 - std::exp(-4.5))) < 0.003);  // Rayleigh
  CHECK(truth.reverse_kl < 24 / 2.0 / 20000 * 3);
}

GanSettings on_grid(const std::string& model) {
  GanSettings settings;
  settings.model = model;
  settings.train.data = "grid";
  settings.train.batch = 16;
  settings.width = 8;
  return settings;
}

std::vector<std::vector<float>> values(const std::vector<State>& states) {
  std::vector<std::vector<float>> all;
  for (const State& state : states)
    if (state.value().dtype() == DType::f32) all.push_back(state.value().to_vector<float>());
  return all;
}

std::vector<State> named(const std::vector<State>& states, const std::string& beginning) {
  std::vector<State> some;
  for (const State& state : states)
    if (state.name().starts_with(beginning)) some.push_back(state);
  return some;
}

TEST_CASE("each step moves one network and leaves the other") {
  for (const std::string model : {"gan", "sngan", "wgan-gp"}) {
    for (const bool critic_moves : {true, false}) {
      GanSettings settings = on_grid(model);
      settings.lr = critic_moves ? 1e-30 : 1e-3;
      settings.critic_lr = critic_moves ? 1e-3 : 1e-30;
      GanExperiment experiment(settings);
      const auto generator = named(experiment.model_states(), "generator.body.0.weight");
      const auto critic = named(experiment.model_states(), "discriminator.head.0.weight");
      REQUIRE(generator.size() == 1);
      REQUIRE(critic.size() == 1);
      const auto generator_before = values(generator), critic_before = values(critic);
      experiment.step({0, 10});
      CHECK((values(generator) == generator_before) == critic_moves);
      CHECK((values(critic) == critic_before) != critic_moves);
    }
  }
}

TEST_CASE("the power iteration goes on with the training") {
  GanExperiment experiment(on_grid("sngan"));
  std::vector<State> u;
  for (const State& state : experiment.states())
    if (state.name().ends_with(".u")) u.push_back(state);
  REQUIRE(u.size() == 4);
  const auto before = values(u);
  experiment.step({0, 10});
  const auto after = values(u);
  for (std::size_t i = 0; i + 1 < u.size(); ++i)
    CHECK(before[i] != after[i]);  // the head has one row
}

TEST_CASE("the averaged generator is the recursion, and is what evaluation sees") {
  GanSettings settings = on_grid("gan");
  settings.weight_average = 0.5;
  settings.lr = 1e-2;
  GanExperiment experiment(settings);
  const auto generator = named(experiment.model_states(), "generator.");
  auto expected = values(generator);
  for (int step = 1; step <= 4; ++step) {
    experiment.step({step - 1, 10});
    const double decay = std::min(0.5, (1.0 + step) / (10.0 + step));
    const auto now = values(generator);
    for (std::size_t s = 0; s < now.size(); ++s)
      for (std::size_t i = 0; i < now[s].size(); ++i)
        expected[s][i] = static_cast<float>(decay * expected[s][i] + (1 - decay) * now[s][i]);
  }
  const auto live = values(generator);
  experiment.with_evaluation_weights([&] {
    const auto averaged = values(generator);
    for (std::size_t s = 0; s < averaged.size(); ++s)
      for (std::size_t i = 0; i < averaged[s].size(); ++i)
        CHECK(averaged[s][i] == doctest::Approx(expected[s][i]).epsilon(1e-4));
    CHECK(averaged != live);
  });
  CHECK(values(generator) == live);
}

TEST_CASE("evaluation has the averaged weights with the batch-norm statistics of now") {
  GanSettings settings;
  settings.model = "dcgan";
  settings.train.smoke = true;
  settings.train.batch = 8;
  settings.width = 4;
  GanExperiment experiment(settings);
  const auto generator = named(experiment.model_states(), "generator.");
  std::vector<State> statistics;
  for (const State& state : generator)
    if (state.name().ends_with("running_mean") || state.name().ends_with("running_var"))
      statistics.push_back(state);
  REQUIRE(statistics.size() == 4);
  const auto first = values(statistics);
  experiment.step({0, 10});
  experiment.step({1, 10});
  const auto now = values(statistics);
  CHECK(now != first);
  experiment.with_evaluation_weights([&] { CHECK(values(statistics) == now); });
}

TEST_CASE("samples depend on the seed, their label and their number alone") {
  const GanShape shape{.example = {1, 8, 8}, .classes = 3, .latent = 5, .width = 4};
  const Gan gan = make_dcgan(shape, Key(1));
  const Samples many = draw_samples(gan.generator, {.count = 260, .seed = 4});
  const Samples few = draw_samples(gan.generator, {.count = 3, .seed = 4});
  const auto a = many.values.as<float>(), b = few.values.as<float>();
  for (std::size_t i = 0; i < b.size(); ++i) CHECK(a[i] == b[i]);
  CHECK(std::all_of(a.begin(), a.end(), [](float value) { return value >= 0 && value <= 1; }));
  CHECK(few.labels == std::vector<std::int32_t>{0, 1, 2});
  const Samples twos = draw_samples(gan.generator, {.count = 3, .seed = 4, .label = 2});
  CHECK(twos.labels == std::vector<std::int32_t>{2, 2, 2});
  CHECK(twos.values.as<float>()[150] == b[150]);
  CHECK(twos.values.as<float>()[10] != b[10]);
  // A walk begins and ends at samples.
  const Samples walk = interpolated_samples(gan.generator, 2, 3, {.seed = 4, .label = 1});
  CHECK(walk.values.shape == Shape{6, 1, 8, 8});
  const Samples ends = draw_samples(gan.generator, {.count = 4, .seed = 4, .label = 1});
  for (std::size_t i = 0; i < 64; ++i) {
    CHECK(walk.values.as<float>()[i] == doctest::Approx(ends.values.as<float>()[i]).epsilon(1e-3));
    CHECK(walk.values.as<float>()[5 * 64 + i] ==
          doctest::Approx(ends.values.as<float>()[3 * 64 + i]).epsilon(1e-3));
  }
}

TEST_CASE("a table has the first row's columns") {
  const std::string text = table_text(
      {{"model", {{"a", 1, 0, "", ""}, {"b", 2, 0, "", ""}}}, {"other", {{"b", 3.5, 0, "", ""}}}});
  CHECK(text.find("a") < text.find("b"));
  CHECK(text.find("3.500") != std::string::npos);
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
}

}  // namespace
}  // namespace genera::zoo::gan
