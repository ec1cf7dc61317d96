// The networks of genera-text against their formulas, and their decoders against themselves.
#include <doctest/doctest.h>

#include <genera/functions.h>
#include <genera/optim.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "zoo/text/evaluation.h"
#include "zoo/text/recurrent.h"
#include "zoo/text/transformer.h"
#include "zoo/text/transformer_block.h"

namespace genera::zoo::text {
namespace {

constexpr std::int64_t vocabulary = 11;

TransformerShape gpt_shape() {
  TransformerShape shape;
  shape.vocabulary = vocabulary;
  shape.context = 80;  // more than a new cache has room for
  shape.layers = 2;
  shape.width = 16;
  shape.heads = 4;
  return shape;
}

TransformerShape llama_shape() {
  TransformerShape shape = gpt_shape();
  shape.positions = Positions::rotary;
  shape.norm = Norm::rms;
  shape.mlp = Mlp::swiglu;
  shape.bias = false;
  shape.tied = false;
  shape.kv_heads = 2;
  shape.window = 5;
  return shape;
}

// Weights large enough that everything matters; biases too.
template <class Model>
std::unique_ptr<Model> lively(std::unique_ptr<Model> model) {
  std::uint64_t i = 0;
  for (const State& state : model->parameters())
    state.set(random_normal(Key(5).fold_in(i++), state.shape()) * 0.3 +
              (state.shape().rank() == 1 ? 0.5 : 0.0));
  return model;
}

struct Named {
  std::string name;
  std::unique_ptr<LanguageModel> model;
};

std::vector<Named> all_models() {
  std::vector<Named> models;
  models.push_back({"gpt", lively(std::make_unique<Transformer>(gpt_shape(), Key(1)))});
  models.push_back({"llama", lively(std::make_unique<Transformer>(llama_shape(), Key(2)))});
  for (const Cell cell : {Cell::lstm, Cell::gru})
    models.push_back(
        {cell == Cell::lstm ? "lstm" : "gru",
         lively(std::make_unique<Recurrent>(RecurrentShape{cell, vocabulary, 6, 9, 2}, Key(3)))});
  return models;
}

std::vector<Token> some_tokens(std::int64_t count, std::uint64_t seed = 9) {
  return cast(random_uniform(Key(seed), {count}) * static_cast<double>(vocabulary), DType::i32)
      .to_vector<Token>();
}

Tensor row(const std::vector<Token>& tokens) {
  return Tensor::from(tokens, {1, std::ssize(tokens)});
}

std::vector<float> logits_of(const LanguageModel& model, const Tensor& tokens) {
  Context inference;
  return model.logits(tokens, inference).to_vector<float>();
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

TEST_CASE("no model sees what comes later, and each sees what came before") {
  for (const auto& [name, model] : all_models()) {
    INFO(name);
    const std::vector<Token> tokens = some_tokens(12);
    const auto before = logits_of(*model, row(tokens));
    std::vector<Token> other = tokens;
    other[6] = (other[6] + 1) % vocabulary;
    const auto after = logits_of(*model, row(other));
    const auto first = [](const std::vector<float>& x, std::int64_t t) {
      return std::vector<float>(x.begin() + t * vocabulary, x.begin() + (t + 1) * vocabulary);
    };
    for (std::int64_t t = 0; t < 6; ++t) CHECK(first(before, t) == first(after, t));
    for (std::int64_t t = 6; t < 10; ++t) CHECK(first(before, t) != first(after, t));
  }
}

TEST_CASE("prefill, step by step and batched decoding agree with the whole") {
  for (const auto& [name, model] : all_models()) {
    INFO(name);
    constexpr std::int64_t length = 71;  // 64 + 4 + 2 + 1; the cache grows on the way
    const std::vector<Token> a = some_tokens(length, 1), b = some_tokens(length, 2);
    const auto whole = logits_of(*model, row(a));
    CHECK(largest_difference(model->decoder(1)->read(row(a)).to_vector<float>(), whole) < 1e-5);

    const auto step_by_step = model->decoder(1);
    std::vector<float> steps;
    for (const Token token : a) {
      const auto now = step_by_step->extend(row({token})).to_vector<float>();
      steps.insert(steps.end(), now.begin(), now.end());
    }
    CHECK(step_by_step->length() == length);
    CHECK(largest_difference(steps, whole) < 1e-5);

    const auto mixed = model->decoder(1);
    mixed->extend(slice(row(a), 1, 0, 50));
    const auto end = mixed->extend(slice(row(a), 1, 50, length)).to_vector<float>();
    CHECK(largest_difference(end, {whole.end() - vocabulary, whole.end()}) < 1e-5);

    const auto both = model->decoder(2)->read(concat({row(b), row(a)}, 0)).to_vector<float>();
    CHECK(largest_difference({both.begin() + length * vocabulary, both.end()}, whole) < 1e-5);
    CHECK(largest_difference({both.begin(), both.begin() + length * vocabulary},
                             logits_of(*model, row(b))) < 1e-5);
  }
}

TEST_CASE("a decoder refuses more tokens than its context holds") {
  const Transformer model(gpt_shape(), Key(1));
  const auto decoder = model.decoder(1);
  decoder->extend(row(some_tokens(79)));
  CHECK_THROWS_AS(decoder->extend(row(some_tokens(2))), ArgumentError);
  CHECK_NOTHROW(decoder->extend(row(some_tokens(1))));
  CHECK_THROWS_AS(decoder->extend(row(some_tokens(1))), ArgumentError);
}

TEST_CASE("rotation is equation 34 of 2104.09864, pair by pair") {
  constexpr std::int64_t length = 7, heads = 2, width = 6;
  const RotaryTable table(length, width, 100);
  const Tensor x = random_normal(Key(3), {1, length, heads, width});
  const auto from = x.to_vector<float>();
  const auto to = rotate(x, table.cosine, table.sine).to_vector<float>();
  for (std::int64_t t = 0; t < length; ++t)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t i = 0; i < width / 2; ++i) {
        const auto at = static_cast<std::size_t>((t * heads + h) * width + i);
        const double angle =
            static_cast<double>(t) * std::pow(100.0, -2.0 * static_cast<double>(i) / width);
        const double a = from[at], b = from[at + width / 2];
        CHECK(to[at] == doctest::Approx(a * std::cos(angle) - b * std::sin(angle)).epsilon(1e-5));
        CHECK(to[at + width / 2] ==
              doctest::Approx(a * std::sin(angle) + b * std::cos(angle)).epsilon(1e-5));
      }
}

TEST_CASE("rotary attention depends on distances only") {
  const RotaryTable table(40, 8, 10000);
  const Tensor q = random_normal(Key(1), {1, 1, 1, 8}), k = random_normal(Key(2), {1, 1, 1, 8});
  const auto product = [&](std::int64_t query, std::int64_t key) {
    const auto at = [&](const Tensor& x, std::int64_t position) {
      return rotate(x, slice(table.cosine, 0, position, position + 1),
                    slice(table.sine, 0, position, position + 1));
    };
    return sum(at(q, query) * at(k, key)).item<double>();
  };
  CHECK(product(5, 2) == doctest::Approx(product(33, 30)).epsilon(1e-4));
  CHECK(product(5, 2) != doctest::Approx(product(5, 3)).epsilon(1e-4));
}

TEST_CASE("grouped heads are repeated heads") {
  constexpr std::int64_t length = 6, width = 4;
  const Tensor q = random_normal(Key(1), {2, length, 6, width});
  const Tensor k = random_normal(Key(2), {2, length, 2, width});
  const Tensor v = random_normal(Key(3), {2, length, 2, width});
  const auto repeated = [](const Tensor& x) {  // each head three times in a row
    return gather(x, Tensor::from({0, 0, 0, 1, 1, 1}, Shape{6}), 2);
  };
  const auto grouped = grouped_attention(q, k, v, {}).to_vector<float>();
  const auto plain = grouped_attention(q, repeated(k), repeated(v), {}).to_vector<float>();
  CHECK(largest_difference(grouped, plain) < 1e-6);
}

// softmax(q k / sqrt(D)) v over the keys that `sees` allows, number by number.
std::vector<float> slow_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const std::function<bool(std::int64_t, std::int64_t)>& sees) {
  const std::int64_t length = q.size(1), heads = q.size(2), width = q.size(3);
  const auto qs = q.to_vector<float>(), ks = k.to_vector<float>(), vs = v.to_vector<float>();
  const auto at = [&](std::int64_t t, std::int64_t h, std::int64_t d) {
    return static_cast<std::size_t>((t * heads + h) * width + d);
  };
  std::vector<float> result(qs.size());
  for (std::int64_t t = 0; t < length; ++t)
    for (std::int64_t h = 0; h < heads; ++h) {
      std::vector<double> weights(static_cast<std::size_t>(length), 0);
      double total = 0;
      for (std::int64_t s = 0; s < length; ++s) {
        if (!sees(t, s)) continue;
        double score = 0;
        for (std::int64_t d = 0; d < width; ++d)
          score += static_cast<double>(qs[at(t, h, d)]) * ks[at(s, h, d)];
        total += weights[static_cast<std::size_t>(s)] =
            std::exp(score / std::sqrt(static_cast<double>(width)));
      }
      for (std::int64_t d = 0; d < width; ++d) {
        double mixed = 0;
        for (std::int64_t s = 0; s < length; ++s)
          mixed += weights[static_cast<std::size_t>(s)] / total * vs[at(s, h, d)];
        result[at(t, h, d)] = static_cast<float>(mixed);
      }
    }
  return result;
}

TEST_CASE("the sliding window sees a token and the window - 1 before it") {
  const Tensor q = random_normal(Key(1), {1, 9, 2, 4}), k = random_normal(Key(2), {1, 9, 2, 4}),
               v = random_normal(Key(3), {1, 9, 2, 4});
  for (const std::int64_t window : {0, 1, 4}) {
    const Tensor mask = window_mask(9, 9, scalar(0, DType::i32), window);
    const auto expected = slow_attention(q, k, v, [&](std::int64_t t, std::int64_t s) {
      return s <= t && (window == 0 || t - s < window);
    });
    CHECK(largest_difference(grouped_attention(q, k, v, mask).to_vector<float>(), expected) < 1e-5);
    if (window == 0)
      CHECK(largest_difference(grouped_attention(q, k, v, {}).to_vector<float>(), expected) < 1e-5);
  }
}

TEST_CASE("with a window of two, two layers see three tokens") {
  TransformerShape shape = llama_shape();
  shape.window = 2;
  const auto model = lively(std::make_unique<Transformer>(shape, Key(4)));
  const std::vector<Token> tokens = some_tokens(8);
  std::vector<Token> other = tokens;
  other[3] = (other[3] + 1) % vocabulary;
  const auto a = logits_of(*model, row(tokens)), b = logits_of(*model, row(other));
  for (std::int64_t t = 0; t < 8; ++t) {
    const std::vector<float> now(a.begin() + t * vocabulary, a.begin() + (t + 1) * vocabulary);
    const std::vector<float> changed(b.begin() + t * vocabulary, b.begin() + (t + 1) * vocabulary);
    CHECK((now != changed) == (t >= 3 && t <= 5));
  }
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("LSTM and GRU are their equations, unit by unit") {
  constexpr std::int64_t in = 3, units = 4, length = 5;
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    RecurrentLayer layer(cell, in, units, Key(1));
    std::vector<std::vector<double>> values;  // input weight, input bias, recurrent weight, bias
    for (const State& state : layer.parameters()) {
      if (state.shape().rank() == 1) state.set(random_normal(Key(8), state.shape()));
      const auto floats = state.value().to_vector<float>();
      values.emplace_back(floats.begin(), floats.end());
    }
    const Tensor x = random_normal(Key(2), {length, 1, in});
    Memory memory = layer.empty(1);
    const auto result = layer.run(x, memory).to_vector<float>();
    const auto inputs = x.to_vector<float>();
    std::vector<double> h(units, 0), c(units, 0);
    for (std::size_t t = 0; t < length; ++t) {
      const auto from_input = [&](std::size_t gate, std::size_t u) {
        double total = values[1][gate * units + u];
        for (std::size_t i = 0; i < in; ++i)
          total += values[0][(gate * units + u) * in + i] * inputs[t * in + i];
        return total;
      };
      const auto from_hidden = [&](std::size_t gate, std::size_t u) {
        double total = 0;
        for (std::size_t j = 0; j < units; ++j)
          total += values[2][(gate * units + u) * units + j] * h[j];
        return total;
      };
      std::vector<double> next(units);
      for (std::size_t u = 0; u < units; ++u) {
        const auto both = [&](std::size_t gate) {
          return from_input(gate, u) + from_hidden(gate, u);
        };
        if (cell == Cell::lstm) {
          c[u] = sigmoid_of(both(1)) * c[u] + sigmoid_of(both(0)) * std::tanh(both(2));
          next[u] = sigmoid_of(both(3)) * std::tanh(c[u]);
        } else {
          const double candidate = std::tanh(
              from_input(2, u) + sigmoid_of(both(0)) * (from_hidden(2, u) + values[3][u]));
          next[u] = (1 - sigmoid_of(both(1))) * candidate + sigmoid_of(both(1)) * h[u];
        }
      }
      h = next;
      for (std::size_t u = 0; u < units; ++u)
        CHECK(result[t * units + u] == doctest::Approx(h[u]).epsilon(1e-5));
    }
  }
}

TEST_CASE("training carries a recurrent model's memory from chunk to chunk") {
  Recurrent model(RecurrentShape{Cell::lstm, vocabulary, 6, 9, 2}, Key(3));
  model.carry(1);
  const Tensor tokens = row(some_tokens(10));
  const auto whole = logits_of(model, tokens);
  Context first = Context::training(Key(0));
  model.logits(slice(tokens, 1, 0, 6), first).eval();
  commit(first.take_updates());
  Context second = Context::training(Key(1));
  const auto rest = model.logits(slice(tokens, 1, 6, 10), second).to_vector<float>();
  CHECK(largest_difference(rest, {whole.begin() + 6 * vocabulary, whole.end()}) < 1e-5);
}

// Gradients of the mean loss on fixed tokens.
Gradients gradients_of(const LanguageModel& model, const std::vector<State>& states) {
  const Tensor tokens = row(some_tokens(13));
  Context inference;
  return grad(
      cross_entropy(model.logits(slice(tokens, 1, 0, 12), inference), slice(tokens, 1, 1, 13)),
      states);
}

TEST_CASE("tied weights are one state, which learns from both of its uses") {
  const Transformer tied(gpt_shape(), Key(1));
  TransformerShape shape = gpt_shape();
  shape.tied = false;
  const Transformer apart(shape, Key(1));
  const auto states = tied.states(), parts = apart.states();
  REQUIRE(parts.size() == states.size() + 1);
  for (std::size_t i = 0; i < states.size(); ++i) {
    CHECK(states[i].name() == parts[i].name());
    parts[i].set(states[i].value());
  }
  REQUIRE(states.front().name() == "embedding.weight");
  REQUIRE(parts.back().name() == "output.weight");
  const auto table = states.front().value().to_vector<float>();
  parts.back().set(Tensor::from(table, states.front().shape()));  // another leaf of the same value
  const auto both = gradients_of(tied, {states.front()}).values[0].to_vector<float>();
  const auto each = gradients_of(apart, {parts.front(), parts.back()}).values;
  CHECK(largest_difference(both, (each[0] + each[1]).to_vector<float>()) < 1e-6);
  CHECK(largest_difference(both, each[0].to_vector<float>()) > 1e-3);
}

TEST_CASE("shapes that do not fit are refused") {
  TransformerShape shape = gpt_shape();
  shape.heads = 3;
  CHECK_THROWS_AS(shape.resolved(), ArgumentError);
  shape = llama_shape();
  shape.kv_heads = 3;
  CHECK_THROWS_AS(shape.resolved(), ArgumentError);
  shape = llama_shape();
  shape.head_width = 5;
  CHECK_THROWS_AS(shape.resolved(), ArgumentError);
}

TEST_CASE("every token is scored once, from at least half a context") {
  // The loss of token i of a model with windows is that of any text that ends like the one before i.
  for (const auto& [name, model] : all_models()) {
    INFO(name);
    const std::vector<Token> tokens = some_tokens(205);
    for (const std::size_t first : {std::size_t{1}, std::size_t{60}}) {
      EvaluationOptions options;
      options.sequences = 3;
      const auto losses = token_losses(*model, tokens, first, options);
      REQUIRE(losses.size() == tokens.size() - first);
    }
    // Where all that is before a token fits, it is predicted from all of it.
    const auto losses = token_losses(*model, {tokens.begin(), tokens.begin() + 60}, 1);
    Context inference;
    const Tensor read = row({tokens.begin(), tokens.begin() + 60});
    const auto expected = cross_entropy(model->logits(slice(read, 1, 0, 59), inference),
                                        slice(read, 1, 1, 60), {.reduction = Reduction::none})
                              .to_vector<float>();
    for (std::size_t i = 0; i < losses.size(); ++i)
      CHECK(losses[i] == doctest::Approx(expected[i]).epsilon(1e-4));
  }
}

}  // namespace
}  // namespace genera::zoo::text
