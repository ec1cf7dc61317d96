#include <doctest/doctest.h>
#include <genera/checkpoint.h>
#include <genera/error.h>
#include <genera/nn.h>
#include <genera/optim.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/golden_cases.h"
#include "tests/temporary_folder.h"

namespace genera {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names(const std::vector<State>& states) {
  std::vector<std::string> result;
  for (const State& state : states) result.push_back(state.name());
  return result;
}
using Names = std::vector<std::string>;

using test::TemporaryFolder;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("states are named by their paths") {
  const Key key(0);
  const nn::Sequential encoder{nn::Linear(4, 3, key.fold_in(0)), nn::Relu{},
                               nn::Linear(3, 2, key.fold_in(1), {.bias = false})};
  CHECK(names(encoder.states()) == Names{"0.weight", "0.bias", "2.weight"});
  const nn::Sequential decoder{nn::Linear(2, 4, key.fold_in(2)), nn::BatchNorm(4)};
  CHECK(names(parameters(encoder, decoder)) == Names{"0.0.weight", "0.0.bias", "0.2.weight",
                                                     "1.0.weight", "1.0.bias", "1.1.weight",
                                                     "1.1.bias"});
  const auto a = nn::named("encoder", encoder);
  const auto b = nn::named("decoder", decoder);
  CHECK(names(states(a, b)) == Names{"encoder.0.weight", "encoder.0.bias", "encoder.2.weight",
                                     "decoder.0.weight", "decoder.0.bias", "decoder.1.weight",
                                     "decoder.1.bias", "decoder.1.running_mean",
                                     "decoder.1.running_var"});
  CHECK(names(parameters(b)) ==
        Names{"decoder.0.weight", "decoder.0.bias", "decoder.1.weight", "decoder.1.bias"});
  CHECK(nn::count_elements(parameters(a, b)) == 12 + 3 + 6 + 8 + 4 + 4 + 4);
  const optim::Sgd sgd(parameters(a), {.momentum = 0.9});
  CHECK(names(states(a, sgd)).back() == "sgd.step");
}

/// A model as users write them, with a layer that occurs twice.
class Tied : public nn::Module {
 public:
  explicit Tied(const Key& key)
      : embedding_(nn::named("embedding", nn::Embedding(5, 3, key.fold_in(0)))),
        blocks_{nn::Linear(3, 3, key.fold_in(1)), nn::Linear(3, 3, key.fold_in(2))},
        scale_("scale", Tensor::from<float>({2.0f}, {})) {}
  Tensor forward(const Tensor& x, Context& context) const override {
    Tensor y = embedding_(x, context);
    for (const nn::Linear& block : blocks_) y = y + block(y, context);
    return matmul(y * scale_, transpose(embedding_.weight()));
  }
  void visit(nn::Visitor& visitor) const override {
    visitor(embedding_);
    visitor.list("blocks", blocks_);
    visitor(embedding_, scale_);
  }

 private:
  nn::Embedding embedding_;
  std::vector<nn::Linear> blocks_;
  State scale_;
};

TEST_CASE("a model of one's own; tied weights are listed once") {
  const Tied model(Key(3));
  CHECK(names(model.parameters()) == Names{"embedding.weight", "blocks.0.weight", "blocks.0.bias",
                                           "blocks.1.weight", "blocks.1.bias", "scale"});
  const Tensor y = model(Tensor::from<std::int32_t>({0, 4}, {2}));
  CHECK(y.shape() == Shape{2, 5});
  const nn::Sequential whole{nn::named("model", model)};
  CHECK(names(whole.parameters()).front() == "model.embedding.weight");
}

TEST_CASE("copies share their states") {
  const nn::Linear layer(2, 1, Key(0));
  const nn::Linear copy = layer;
  CHECK(copy.weight() == layer.weight());
  layer.weight().set(Tensor::from<float>({1.0f, 2.0f}, {1, 2}));
  layer.bias().set(Tensor::from<float>({0.5f}, {1}));
  CHECK(copy(Tensor::from<float>({3.0f, 4.0f}, {1, 2})).item<float>() == 11.5f);
  const nn::Sequential sequence{layer};
  const nn::Sequential again = sequence;
  CHECK(again.states()[0] == layer.weight());
}

TEST_CASE("layers begin as PyTorch's do, and as their key says") {
  const nn::Linear layer(100, 50, Key(1)), same(100, 50, Key(1)), other(100, 50, Key(2));
  const auto weight = layer.weight().value().to_vector<float>();
  const auto [low, high] = std::minmax_element(weight.begin(), weight.end());
  CHECK(*low >= -0.1f);
  CHECK(*low < -0.099f);
  CHECK(*high <= 0.1f);
  CHECK(*high > 0.099f);
  CHECK(same.weight().value().to_vector<float>() == weight);
  CHECK(other.weight().value().to_vector<float>() != weight);
  const nn::Conv2d conv(4, 8, 5, Key(1));
  const auto kernel = conv.weight().value().to_vector<float>();
  CHECK(*std::max_element(kernel.begin(), kernel.end()) <= 0.1f);
  CHECK(*std::max_element(kernel.begin(), kernel.end()) > 0.097f);
  CHECK(conv.bias().shape() == Shape{8});
}

double variance(const std::vector<float>& x) {
  double total = 0, square = 0;
  for (const float v : x) total += v, square += double{v} * v;
  const auto n = static_cast<double>(x.size());
  return square / n - total / n * (total / n);
}

TEST_CASE("initialisers") {
  const Key key(5);
  const Shape shape{200, 50, 2};  // fan_in 100, fan_out 400
  CHECK(variance(nn::init::he_normal(key, shape).to_vector<float>()) ==
        doctest::Approx(0.02).epsilon(0.05));
  CHECK(variance(nn::init::he_uniform(key, shape).to_vector<float>()) ==
        doctest::Approx(0.02).epsilon(0.05));
  CHECK(variance(nn::init::xavier_normal(key, shape).to_vector<float>()) ==
        doctest::Approx(0.004).epsilon(0.05));
  CHECK(variance(nn::init::xavier_uniform(key, shape).to_vector<float>()) ==
        doctest::Approx(0.004).epsilon(0.05));
  CHECK(nn::init::constant(Shape{2}, 0.25).to_vector<float>() == std::vector<float>{0.25f, 0.25f});
  const auto cut = nn::init::truncated_normal(key, shape, 1.0, 0.5).to_vector<float>();
  CHECK(*std::min_element(cut.begin(), cut.end()) >= 0.0f);
  CHECK(*std::max_element(cut.begin(), cut.end()) <= 2.0f);
  CHECK(variance(cut) == doctest::Approx(0.25 * 0.7737).epsilon(0.05));
  CHECK_THROWS_AS(nn::init::truncated_normal(key, shape, 0, 1, 0.1), ArgumentError);
  CHECK_THROWS_AS(nn::init::he_normal(key, Shape{3}), ArgumentError);

  for (const Shape& size : {Shape{5, 9}, Shape{9, 5}, Shape{4, 2, 3}}) {
    const Tensor q =
        reshape(nn::init::orthogonal(key, size, 2.0), std::vector<std::int64_t>{size[0], -1});
    const bool wide = q.size(0) <= q.size(1);
    const Tensor gram = wide ? matmul(q, transpose(q)) : matmul(transpose(q), q);
    const auto values = gram.to_vector<float>();
    const auto n = static_cast<std::size_t>(gram.size(0));
    for (std::size_t i = 0; i < values.size(); ++i)
      CHECK(values[i] == doctest::Approx(i / n == i % n ? 4.0 : 0.0).epsilon(1e-5));
  }
}

TEST_CASE("batch norm: batch statistics in training, running ones in inference") {
  const nn::BatchNorm norm(2, {.momentum = 0.1});
  norm.weight().set(Tensor::from<float>({2.0f, 1.0f}, {2}));
  norm.bias().set(Tensor::from<float>({0.0f, 5.0f}, {2}));
  // Channel 0: 1, 2, 3, 4; channel 1: all 7.
  const Tensor x = Tensor::from<float>({1, 2, 7, 7, 3, 4, 7, 7}, {2, 2, 2});
  Context context = Context::training(Key(0));
  const Tensor y = norm(x, context);
  const auto values = y.to_vector<float>();
  CHECK(values[0] == doctest::Approx(2 * -1.5 / std::sqrt(1.25 + 1e-5)));
  CHECK(values[2] == doctest::Approx(5.0));
  CHECK(norm.running_mean().value().to_vector<float>() == std::vector<float>{0.0f, 0.0f});
  commit(context.take_updates());
  CHECK(norm.running_mean().value().to_vector<float>()[0] == doctest::Approx(0.25));
  CHECK(norm.running_mean().value().to_vector<float>()[1] == doctest::Approx(0.7));
  CHECK(norm.running_var().value().to_vector<float>()[0] == doctest::Approx(0.9 + 0.1 * 5.0 / 3.0));
  CHECK(norm.running_var().value().to_vector<float>()[1] == doctest::Approx(0.9));
  const auto inferred = norm(x).to_vector<float>();
  CHECK(inferred[0] == doctest::Approx(2 * (1 - 0.25) / std::sqrt(0.9 + 0.5 / 3.0 + 1e-5)));
}

void check_close(const Tensor& got, const io::HostArray& expected) {
  REQUIRE(got.shape() == expected.shape);
  const auto a = got.to_vector<float>();
  const auto b = test::GoldenCase::values(expected);
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK(std::abs(a[i] - b[i]) <= 2e-5 * (1 + std::abs(b[i])));
}

TEST_CASE("batch norm is PyTorch's, its gradients and running statistics too") {
  for (const test::GoldenCase& c : test::golden_cases({"batch_norm"})) {
    CAPTURE(c.name());
    const Tensor x = c.tensor("input");
    const nn::BatchNorm norm(x.size(1), {c.attribute("eps", 1e-5), c.attribute("momentum", 0.1)});
    norm.weight().set(c.tensor("weight"));
    norm.bias().set(c.tensor("bias"));
    norm.running_mean().set(c.tensor("running_mean"));
    norm.running_var().set(c.tensor("running_var"));
    const bool training = c.attribute("training", true);
    Context context = training ? Context::training(Key(0)) : Context();
    const Tensor y = norm(x, context);
    check_close(y, c.output("y"));
    const Gradients gradients =
        grad(sum(y * c.tensor("cotangent")), {x, norm.weight(), norm.bias()});
    check_close(gradients[0], c.output("grad_input"));
    check_close(gradients[1], c.output("grad_weight"));
    check_close(gradients[2], c.output("grad_bias"));
    if (!training) continue;
    commit(context.take_updates());
    check_close(norm.running_mean(), c.output("new_running_mean"));
    check_close(norm.running_var(), c.output("new_running_var"));
  }
}

TEST_CASE("batch norm that runs twice in one step follows both batches") {
  const nn::BatchNorm norm(1);
  Context context = Context::training(Key(0));
  norm(Tensor::from<float>({1.0f, 3.0f}, {2, 1}), context);
  norm(Tensor::from<float>({5.0f, 7.0f}, {2, 1}), context);
  commit(context.take_updates());
  CHECK(norm.running_mean().value().item<float>() == doctest::Approx(0.9 * 0.2 + 0.6));
  CHECK(norm.running_var().value().item<float>() == doctest::Approx(0.9 * (0.9 + 0.2) + 0.2));
}

TEST_CASE("batch norm refuses other channels and single values") {
  const nn::BatchNorm norm(3);
  CHECK_THROWS_WITH_AS(norm(Tensor::from<float>({1, 2}, {1, 2})),
                       "[batch_norm] needs (B,3,…), got (1,2)", ArgumentError);
  Context context = Context::training(Key(0));
  CHECK_THROWS_AS(norm(Tensor::from<float>({1, 2, 3}, {1, 3}), context), ArgumentError);
}

TEST_CASE("dropout: nothing in inference, unbiased in training, other draws at every call") {
  const nn::Dropout dropout(0.25);
  const Tensor x = ones(Shape{100, 100});
  CHECK(sum(dropout(x)).item<float>() == 10000.0f);
  Context context = Context::training(Key(7));
  const auto a = dropout(x, context).to_vector<float>();
  const auto b = dropout(x, context).to_vector<float>();
  CHECK(a != b);
  const auto zero_count = std::count(a.begin(), a.end(), 0.0f);
  CHECK(zero_count > 2300);
  CHECK(zero_count < 2700);
  CHECK(*std::max_element(a.begin(), a.end()) == doctest::Approx(1 / 0.75));
  Context again = Context::training(Key(7));
  CHECK(dropout(x, again).to_vector<float>() == a);
  CHECK_THROWS_AS(nn::Dropout(1.0), ArgumentError);
  Context inference;
  CHECK_THROWS_AS(inference.next_key(), ArgumentError);
}

TEST_CASE("shapes through layers") {
  const Key key(0);
  const nn::Sequential net{
      nn::Conv2d(1, 4, 4, key.fold_in(0), {.stride = 2, .padding = 1}),
      nn::GroupNorm(2, 4),
      nn::LeakyRelu(0.2),
      nn::MaxPool2d(2),
      nn::Flatten{},
      nn::Linear(4 * 7 * 7, 6, key.fold_in(1)),
      nn::LayerNorm(6),
      nn::RMSNorm(6),
      nn::Elu{},
      nn::Linear(6, 4 * 7 * 7, key.fold_in(2)),
      nn::Reshape({4, 7, 7}),
      nn::Upsample(2),
      nn::Silu{},
      nn::ConvTranspose2d(4, 2, 4, key.fold_in(3), {.stride = 2, .padding = 1}),
      nn::Conv(2, 1, {3, 3}, key.fold_in(4), {.pad_lo = {1}}),
      nn::AvgPool2d(2),
      nn::Function([](const Tensor& x) { return x * 2.0; }),
  };
  CHECK(net.size() == 17);
  CHECK(net(zeros(Shape{3, 1, 28, 28})).shape() == Shape{3, 1, 14, 14});
  CHECK_THROWS_AS(nn::LayerNorm(5)(zeros(Shape{2, 6})), ArgumentError);
  CHECK_THROWS_AS(nn::Linear(0, 5, key), ArgumentError);
  CHECK_THROWS_AS(nn::GroupNorm(3, 4), ArgumentError);
  CHECK_THROWS_AS(nn::Conv2d(3, 4, 3, key, {.groups = 2}), ArgumentError);
}

TEST_CASE("a small net learns exclusive or") {
  const Key key(4);
  const nn::Sequential net{nn::Linear(2, 16, key.fold_in(0)), nn::Tanh{},
                           nn::Linear(16, 1, key.fold_in(1))};
  const Tensor x = Tensor::from<float>({0, 0, 0, 1, 1, 0, 1, 1}, {4, 2});
  const Tensor target = Tensor::from<float>({0, 1, 1, 0}, {4, 1});
  optim::Adam adam(net.parameters(), {.lr = 0.05});
  float last = 0;
  for (int step = 0; step < 200; ++step) {
    const Tensor loss = binary_cross_entropy_with_logits(net(x), target);
    adam.step(grad(loss, adam.parameters()));
    last = loss.item<float>();
  }
  CHECK(last < 0.02f);
}

/// A net with everything that a checkpoint must bring back: moments, running statistics, dropout
/// keys.
struct Trainer {
  nn::Sequential net;
  optim::Adam adam;
  std::int64_t step = 0;

  explicit Trainer(std::uint64_t seed)
      : net(nn::named("net",
                      nn::Sequential{nn::Linear(3, 8, Key(seed)), nn::BatchNorm(8), nn::Relu{},
                                     nn::Dropout(0.2), nn::Linear(8, 1, Key(seed).fold_in(1))})),
        adam(net.parameters(), {.lr = 0.01}) {}
  std::vector<State> all() const { return states(net, adam); }
  void train(int steps) {
    for (int i = 0; i < steps; ++i, ++step) {
      const Key key = Key(99).fold_in(static_cast<std::uint64_t>(step));
      Context context = Context::training(key);
      const Tensor x = random_normal(key.fold_in(1), Shape{16, 3});
      const Tensor loss = mse_loss(net(x, context), slice(x, 1, 0, 1));
      adam.step(grad(loss, adam.parameters()), {.updates = context.take_updates()});
    }
  }
};

TEST_CASE("a checkpoint resumes at every step with the same bits") {
  const TemporaryFolder folder;
  const fs::path path = folder / "last.safetensors";
  Trainer whole(1);
  whole.train(5);
  for (int at = 0; at <= 5; ++at) {
    Trainer first(1);
    first.train(at);
    save_checkpoint(path, first.all(), {{"step", std::to_string(first.step)}});
    Trainer second(2);
    const io::Metadata metadata = load_checkpoint(path, second.all());
    second.step = std::stoll(metadata.at("step"));
    CHECK(second.step == at);
    second.train(5 - at);
    const auto expected = whole.all(), got = second.all();
    REQUIRE(expected.size() == got.size());
    for (std::size_t i = 0; i + 1 < got.size(); ++i) {
      INFO(got[i].name());
      CHECK(got[i].value().to_vector<float>() == expected[i].value().to_vector<float>());
    }
    CHECK(second.adam.steps() == 5);
  }
}

TEST_CASE("checkpoints are strict, and a failed load changes nothing") {
  const TemporaryFolder folder;
  const fs::path path = folder / "model.safetensors";
  const auto model = [](std::int64_t width, bool bias, std::uint64_t seed) {
    return nn::named("net", nn::Sequential{nn::Linear(3, width, Key(seed), {.bias = bias})});
  };
  const auto saved = model(4, true, 0);
  save_checkpoint(path, saved.states());

  const auto same = model(4, true, 1);
  load_checkpoint(path, same.states());
  CHECK(same.states()[0].value().to_vector<float>() ==
        saved.states()[0].value().to_vector<float>());

  const auto without = model(4, false, 2);
  const auto before = without.states()[0].value().to_vector<float>();
  const std::string more = message_of([&] { load_checkpoint(path, without.states()); });
  CHECK(more.find("holds 'net.0.bias', which the model has not") != std::string::npos);
  CHECK(without.states()[0].value().to_vector<float>() == before);
  load_checkpoint(path, without.states(), {.ignore_other_tensors = true});
  CHECK(without.states()[0].value().to_vector<float>() ==
        saved.states()[0].value().to_vector<float>());

  const auto wider = model(5, true, 3);
  const std::string shape = message_of([&] { load_checkpoint(path, wider.states()); });
  CHECK(shape.find("is (4) f32, the model's is (5) f32") + shape.find("is (4,3) f32") !=
        2 * std::string::npos);

  save_checkpoint(path, without.states());
  const std::string less = message_of([&] { load_checkpoint(path, same.states()); });
  CHECK(less.find("lacks 'net.0.bias'") != std::string::npos);
  CHECK_THROWS_AS(load_checkpoint(folder / "none.safetensors", same.states()), DataError);
  const nn::Linear a(1, 1, Key(0)), b(1, 1, Key(1));
  std::vector<State> clash = a.states();
  for (const State& state : b.states()) clash.push_back(state);
  CHECK_THROWS_AS(save_checkpoint(path, clash), ArgumentError);
}

TEST_CASE("states keep shape and dtype") {
  const State state("w", Tensor::from<float>({1, 2}, {2}));
  CHECK_THROWS_WITH_AS(state.set(Tensor::from<float>({1}, {1})),
                       "[state] 'w' holds (2) f32, got (1) f32", ArgumentError);
  CHECK_THROWS_AS(State("w", Tensor()), ArgumentError);
  state.set(state.value() * 2.0);  // an expression is evaluated first
  CHECK(state.value().to_vector<float>() == std::vector<float>{2, 4});
}

}  // namespace
}  // namespace genera
