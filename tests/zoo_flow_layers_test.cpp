// The layers of genera-flow: inverses, Jacobians, and what their papers say of them.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/functions.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "zoo/flow/autoregressive.h"
#include "zoo/flow/coupling.h"
#include "zoo/flow/invertible_linear.h"
#include "zoo/flow/model.h"
#include "zoo/flow/multi_scale.h"
#include "zoo/flow/networks.h"

namespace genera::zoo::flow {
namespace {

using Values = std::vector<float>;

// Other values than those at the start, where many layers are the identity.
void scatter(const nn::Module& module, double deviation = 0.3) {
  std::uint64_t use = 0;
  for (const State& state : module.parameters())
    state.set(
        detach(state.value() + deviation * random_normal(Key(99).fold_in(use++), state.shape())));
}

Mapped map(const Bijection& bijection, const Tensor& x) {
  Context inference;
  return bijection.map(x, inference);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a - b)).item<double>();
}

double log_abs_det(std::vector<std::vector<double>> a) {
  double result = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t pivot = i;
    for (std::size_t r = i; r < a.size(); ++r)
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    std::swap(a[i], a[pivot]);
    result += std::log(std::abs(a[i][i]));
    for (std::size_t r = i + 1; r < a.size(); ++r) {
      const double factor = a[r][i] / a[i][i];
      for (std::size_t c = i; c < a.size(); ++c) a[r][c] -= factor * a[i][c];
    }
  }
  return result;
}

// log |det dy/dx| of each example, from all D rows of the Jacobian that autodiff gives.
std::vector<double> jacobian_log_det(const Tensor& y, const Tensor& x) {
  const auto batch = static_cast<std::size_t>(x.size(0));
  const auto size = static_cast<std::size_t>(x.elements() / x.size(0));
  std::vector<std::vector<std::vector<double>>> jacobian(batch);
  for (std::size_t k = 0; k < size; ++k) {
    Values unit(batch * size, 0.0f);
    for (std::size_t b = 0; b < batch; ++b) unit[b * size + k] = 1;
    const Tensor outputs[] = {y}, cotangents[] = {Tensor::from(unit, y.shape())}, wrt[] = {x};
    const Values rows = vjp(outputs, cotangents, wrt)[0].to_vector<float>();
    for (std::size_t b = 0; b < batch; ++b)
      jacobian[b].emplace_back(rows.begin() + static_cast<std::ptrdiff_t>(b * size),
                               rows.begin() + static_cast<std::ptrdiff_t>((b + 1) * size));
  }
  std::vector<double> result;
  for (const auto& matrix : jacobian) result.push_back(log_abs_det(matrix));
  return result;
}

// Inverse and log-determinant of a bijection at x.
void check_bijection(const std::string& what, const Bijection& bijection, const Tensor& x,
                     double inverse_error = 2e-5) {
  CAPTURE(what);
  const Mapped mapped = map(bijection, x);
  CHECK(mapped.log_det.shape() == Shape{x.size(0)});
  CHECK(mapped.value.elements() == x.elements());
  CHECK(largest_difference(bijection.inverse(mapped.value), x) < inverse_error);
  const Values claimed = mapped.log_det.to_vector<float>();
  const std::vector<double> exact = jacobian_log_det(mapped.value, x);
  for (std::size_t b = 0; b < claimed.size(); ++b)
    CHECK(claimed[b] == doctest::Approx(exact[b]).epsilon(1e-4).scale(1));
}

Tensor vectors(std::int64_t size) { return 1.5 * random_normal(Key(1), {6, size}); }
Tensor images(const Shape& shape) {
  return random_normal(Key(2), Shape{4, shape[0], shape[1], shape[2]});
}

FlowShape small(const Shape& example) {
  FlowShape shape;
  shape.example = example;
  shape.layers = 3;
  shape.hidden = 10;
  shape.levels = 1;
  shape.bins = 5;
  return shape;
}

TEST_CASE("every layer: its inverse undoes it, its log-determinant is its Jacobian's") {
  const auto check = [](const std::string& what, auto layer, const Tensor& x) {
    scatter(layer);
    check_bijection(what, layer, x);
  };
  const auto affine = std::make_shared<AffineMap>();
  const auto spline = std::make_shared<SplineMap>(6, 2.0);
  check("actnorm of vectors", ActNorm(5), vectors(5));
  check("actnorm of images", ActNorm(2), images({2, 2, 2}));
  check("reversal", Reversal(), vectors(5));
  check("squeeze", Squeeze(), images({2, 2, 2}));
  check("flattened", Flattened(Shape{2, 2, 2}), images({2, 2, 2}));
  check("logit", Logit(0.05), random_uniform(Key(3), {4, 1, 2, 2}));
  check("plain linear of vectors", PlainLinear(6, Key(4)), vectors(6));
  check("plain linear of images", PlainLinear(2, Key(4)), images({2, 2, 2}));
  check("lu linear of vectors", LuLinear(6, Key(5)), vectors(6));
  check("lu linear of images", LuLinear(2, Key(5)), images({2, 2, 2}));
  for (const bool first : {false, true}) {
    for (const std::int64_t size : {2, 5, 8}) {
      const Halves halves{.first = first};
      const std::int64_t pass = Coupling::passing(size, halves), change = size - pass;
      check("affine coupling",
            Coupling(vector_network(pass, 9, 2 * change, Key(6)), affine, halves), vectors(size));
      check(
          "spline coupling",
          Coupling(vector_network(pass, 9, spline->parameters() * change, Key(7)), spline, halves),
          vectors(size));
    }
    check("coupling of images",
          Coupling(image_network(1, 5, 2, Key(8)), affine, Halves{.first = first}),
          images({2, 2, 2}));
    check("checkerboard", CheckerboardCoupling(image_network(3, 5, 4, Key(9)), affine, first),
          images({2, 2, 2}));
    const Halves behind{.first = first, .passive = 2};
    check("coupling with passive channels",
          Coupling(vector_network(Coupling::passing(6, behind), 9,
                                  2 * Coupling::transformed(6, behind), Key(10)),
                   affine, behind),
          vectors(6));
  }
  check("autoregressive", Autoregressive(MaskedNetwork(6, 16, 2, Key(11)), affine), vectors(6));
  check("autoregressive spline",
        Autoregressive(MaskedNetwork(4, 16, spline->parameters(), Key(12)), spline), vectors(4));
  check("factor out",
        FactorOut(image_network(1, 5, 2, Key(13)), std::make_shared<Flattened>(Shape{1, 2, 2})),
        images({2, 2, 2}));
}

TEST_CASE("a linear layer's inverse is solved to the last places of single precision") {
  const std::int64_t size = 48;
  const PlainLinear layer(size, Key(31));
  State weight = nn::parameters(layer).front();
  weight.set(weight.value() + 0.1 * random_normal(Key(32), {size, size}));
  const Tensor z = detach(map(layer, random_normal(Key(33), {500, size})).value);
  const auto doubled = [](const Tensor& x) { return cast(x, DType::f64); };
  const Tensor exact = transpose(solve(doubled(weight.value()), transpose(doubled(z))));
  // One product with the rounded inverse misses it by 2.6e-7.
  CHECK(mean(abs(doubled(layer.inverse(z)) - exact)).item<double>() < 2e-7);
}

TEST_CASE("every flow: its inverse undoes it, its log-determinant is its Jacobian's") {
  for (const std::string linear : {"lu", "plain"}) {
    FlowShape shape = small({2, 2, 2});
    shape.linear = linear;
    const auto glow = make_glow(shape, Key(1));
    scatter(*glow, 0.1);
    check_bijection("glow " + linear, *glow, images(shape.example), 1e-4);
  }
  const auto realnvp_images = make_realnvp(small({2, 2, 2}), Key(2));
  scatter(*realnvp_images, 0.1);
  check_bijection("realnvp of images", *realnvp_images, images({2, 2, 2}), 1e-4);
  FlowShape two_levels = small({1, 4, 4});
  two_levels.levels = 2;
  two_levels.logit = 0.05;
  const auto check_inverse = [](const Bijection& flow, const Tensor& x) {
    scatter(flow, 0.05);
    const Mapped mapped = map(flow, x);
    CHECK(mapped.value.shape() == Shape{x.size(0), 16});
    CHECK(largest_difference(flow.inverse(mapped.value), x) < 1e-4);
    const Values claimed = mapped.log_det.to_vector<float>();
    const std::vector<double> exact = jacobian_log_det(mapped.value, x);
    for (std::size_t b = 0; b < claimed.size(); ++b)
      CHECK(claimed[b] == doctest::Approx(exact[b]).epsilon(1e-4).scale(1));
  };
  const Tensor unit = random_uniform(Key(5), {3, 1, 4, 4}, 0.05, 0.95);
  check_inverse(*make_glow(two_levels, Key(3)), unit);
  check_inverse(*make_realnvp(two_levels, Key(3)), unit);
  for (const auto& make : {make_realnvp, make_maf, make_spline_flow}) {
    const auto flow = make(small({7}), Key(4));
    scatter(*flow, 0.2);
    check_bijection("vectors", *flow, vectors(7), 1e-4);
  }
}

TEST_CASE("couplings begin as the identity") {
  const auto flow = make_realnvp(small({6}), Key(1));
  const Tensor x = vectors(6);
  CHECK(largest_difference(map(*flow, x).value, x) == 0);
  const auto spline = std::make_shared<SplineMap>(6, 2.0);
  const Coupling coupling(vector_network(3, 9, 3 * spline->parameters(), Key(7)), spline, Halves{});
  CHECK(largest_difference(map(coupling, x).value, x) < 1e-5);
  CHECK(max(abs(map(coupling, x).log_det)).item<double>() < 1e-5);
}

TEST_CASE("ActNorm's first batch leaves it with mean 0 and variance 1, and starts it once") {
  for (const Tensor& x : {2.5 * random_normal(Key(1), {500, 3}) + 4,
                          0.1 * random_normal(Key(2), {50, 3, 4, 4}) - 7}) {
    const ActNorm norm(3);
    CHECK(!norm.initialised());
    Context first = Context::training(Key(0));
    const Mapped at_start = norm.map(x, first);
    const Tensor at_once = detach(at_start.value);
    commit(first.take_updates());
    CHECK(norm.initialised());
    Context later = Context::training(Key(0));
    const Tensor y = norm.map(x, later).value;
    CHECK(later.take_updates().empty());
    CHECK(largest_difference(at_once, y) < 1e-5);
    Axes axes = {0};
    for (int axis = 2; axis < x.rank(); ++axis) axes.push_back(axis);
    for (const float value : mean(y, axes).to_vector<float>()) CHECK(std::abs(value) < 1e-4);
    for (const float value : var(y, axes).to_vector<float>())
      CHECK(value == doctest::Approx(1).epsilon(1e-4));
    // Another batch does not start it again.
    Context another = Context::training(Key(0));
    norm.map(x + 5, another);
    CHECK(another.take_updates().empty());
  }
  // A constant channel has no variance: all stays finite.
  const ActNorm norm(2);
  Context training = Context::training(Key(0));
  norm.map(full({4, 2}, 3), training);
  commit(training.take_updates());
  CHECK(all(isfinite(map(norm, full({4, 2}, 3.1)).value)).item<bool>());
}

TEST_CASE("a model starts all its ActNorms in one go, each behind those before it") {
  FlowShape shape = small({1, 4, 4});
  shape.levels = 2;
  const FlowModel model(shape, make_glow(shape, Key(1)), Key(2));
  const Tensor bytes = floor(random_uniform(Key(3), {64, 1, 4, 4}) * 256.0);
  model.initialise(bytes, Key(4));
  std::size_t flags = 0;
  for (const State& state : model.states())
    if (state.name().ends_with("initialised")) {
      ++flags;
      CHECK(state.value().item<int>() == 1);
    }
  CHECK(flags == 3 + 4);
  // The last layer of the last level is an ActNorm: its half of z is normalised.
  const Tensor z = slice(model.latent(bytes, Key(4)), 1, 8, 16);
  CHECK(mean(z).item<double>() == doctest::Approx(0).scale(1).epsilon(1e-3));
  CHECK(var(z).item<double>() == doctest::Approx(1).epsilon(1e-3));
  const Values before = model.latent(bytes, Key(5)).to_vector<float>();
  model.initialise(bytes, Key(6));
  CHECK(model.latent(bytes, Key(5)).to_vector<float>() == before);
}

TEST_CASE("the LU form begins as a rotation and keeps its permutation") {
  const LuLinear lu_form(6, Key(5));
  const Tensor rotation = map(lu_form, eye(6)).value;  // W^T
  CHECK(largest_difference(matmul(rotation, transpose(rotation)), eye(6)) < 1e-5);
  const PlainLinear plain(6, Key(5));
  CHECK(largest_difference(map(plain, eye(6)).value, rotation) < 1e-5);
  std::size_t trainable = lu_form.parameters().size();
  CHECK(trainable == 3);
  CHECK(lu_form.states().size() == 5);
}

TEST_CASE("splines rise, meet the corners of their box, and are the identity outside") {
  const SplineMap spline(7, 3.0);
  const std::int64_t count = 2001;
  const Tensor x = reshape(linspace(-5, 5, count), {1, count});
  const Tensor parameters = broadcast_to(2 * random_normal(Key(3), {1, spline.parameters(), 1}),
                                         Shape{1, spline.parameters(), count});
  const ScalarMapped mapped = spline.map(x, parameters);
  const Values at = x.to_vector<float>(), y = mapped.value.to_vector<float>(),
               log_slope = mapped.log_derivative.to_vector<float>();
  std::size_t outside = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (i > 0) CHECK(y[i] > y[i - 1]);
    if (std::abs(at[i]) > 3) {
      ++outside;
      CHECK(y[i] == at[i]);
      CHECK(log_slope[i] == 0);
    } else {
      CHECK(std::abs(y[i]) <= 3.00001f);
    }
  }
  CHECK(outside == 800);
  double rise = 0;  // the derivative's integral over the box is the box's height
  for (std::size_t i = 0; i < y.size(); ++i)
    if (std::abs(at[i]) <= 3) rise += std::exp(log_slope[i]) * 10 / 2000;
  CHECK(rise == doctest::Approx(6).epsilon(0.01));
  CHECK(largest_difference(spline.inverse(mapped.value, parameters), x) < 1e-3);
}

TEST_CASE("autoregressive: number d of the network's output sees the numbers before d only") {
  const std::int64_t size = 5, parameters = 3;
  MaskedNetwork network(size, 32, parameters, Key(1));
  scatter(network, 0.5);
  const Tensor x = random_normal(Key(2), {1, size});
  const Values before = network(x).to_vector<float>();
  for (std::int64_t changed = 0; changed < size; ++changed) {
    Values moved = x.to_vector<float>();
    moved[static_cast<std::size_t>(changed)] += 1;
    const Values after = network(Tensor::from(moved, x.shape())).to_vector<float>();
    for (std::int64_t p = 0; p < parameters; ++p) {
      for (std::int64_t d = 0; d < size; ++d) {
        const auto k = static_cast<std::size_t>(p * size + d);
        CAPTURE(changed);
        CAPTURE(d);
        if (d <= changed)
          CHECK(after[k] == before[k]);
        else
          CHECK(after[k] != before[k]);
      }
    }
  }
}

TEST_CASE("dequantisation: noise of one byte, and a density that integrates to 1") {
  const Tensor bytes = floor(random_uniform(Key(1), {3, 1, 4, 4}) * 256.0);
  Context inference;
  const UniformDequantiser uniform;
  VariationalDequantiser variational(1, 6, 2, Key(2));
  scatter(variational);
  for (const Dequantiser* dequantiser :
       {static_cast<const Dequantiser*>(&uniform), static_cast<const Dequantiser*>(&variational)}) {
    const Tensor noisy = dequantiser->dequantise(bytes, Key(3), inference).value;
    const Tensor u = noisy * 256.0 - bytes;
    CHECK(all(logical_and(greater_equal(u, 0), less_equal(u, 1))).item<bool>());
  }
  // E[1 / q(u)] over u ~ q is the volume of the noise: 1.
  const Tensor one = full({4000, 1, 2, 2}, 7);
  VariationalDequantiser tiny(1, 4, 2, Key(4));
  scatter(tiny, 0.1);
  const Tensor log_q = tiny.dequantise(one, Key(5), inference).log_density;
  CHECK(mean(exp(-log_q)).item<double>() == doctest::Approx(1).epsilon(0.1));
}

}  // namespace
}  // namespace genera::zoo::flow
