// The parts of genera-text that are no networks: tokens, texts, filters, n-grams.
#include <doctest/doctest.h>

#include <genera/random.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "zoo/common/failure.h"
#include "zoo/common/utf8.h"
#include "zoo/text/evaluation.h"
#include "zoo/text/generation.h"
#include "zoo/text/kneser_ney.h"
#include "zoo/text/ngram.h"
#include "zoo/text/sampling.h"
#include "zoo/text/text_data.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {
namespace {

using Context = std::vector<Token>;

std::vector<Token> random_text(std::int64_t length, std::int64_t vocabulary, std::uint64_t seed) {
  // Skewed, so that there are frequent and rare n-grams.
  std::vector<Token> text;
  for (const float u : random_uniform(Key(seed), {length}).to_vector<float>())
    text.push_back(static_cast<Token>(u * u * static_cast<float>(vocabulary)));
  return text;
}

TEST_CASE("tokenizers give back what they were given") {
  const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80 a\n";  // 1 to 4 bytes each
  for (const auto& tokenizer : {make_byte_tokenizer(), make_char_tokenizer(text)}) {
    const auto tokens = tokenizer->encode(text);
    CHECK(tokenizer->decode(tokens) == text);
    for (const Token token : tokens) CHECK((token >= 0 && token < tokenizer->vocabulary_size()));
    const auto again = tokenizer_from_json(tokenizer->to_json(), "test");
    CHECK(again->encode(text) == tokens);
    CHECK(again->kind() == tokenizer->kind());
  }
  CHECK(make_char_tokenizer(text)->encode(text).size() == 7);
  CHECK(make_char_tokenizer(text)->vocabulary_size() == 6);
  CHECK(make_byte_tokenizer()->encode(text).size() == text.size());
  CHECK_THROWS_AS(make_char_tokenizer(text)->encode("b"), DataError);
  CHECK_THROWS_AS(make_char_tokenizer("a\xFF"), DataError);
}

TEST_CASE("damaged tokenizers are data errors") {
  for (const char* json :
       {"", "[]", "{}", R"({"kind": 3})", R"({"kind": "other"})", R"({"kind": "char"})",
        R"({"kind": "char", "characters": ["ab"]})", R"({"kind": "char", "characters": 7})",
        R"({"kind": "char", "characters": [1]})"})
    CHECK_THROWS_AS(tokenizer_from_json(json, "file"), DataError);
}

TEST_CASE("UTF-8 is told from what is none") {
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("\xC3\xA4") == 2);
  CHECK(utf8_length("\xE2\x82\xAC") == 3);
  CHECK(utf8_length("\xF0\x9F\x98\x80") == 4);
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC3(", "\xE2\x82("}) {
    CHECK(utf8_length(bad) == 0);
    CHECK_FALSE(utf8_incomplete(bad));
  }
  for (const char* part : {"\xC3", "\xE2", "\xE2\x82", "\xF0\x9F\x98"}) {
    CHECK(utf8_length(part) == 0);
    CHECK(utf8_incomplete(part));
  }
  CHECK(utf8_count("a\xC3\xA4\xFFz") == 4);
}

TEST_CASE("a stream of bytes never splits a character") {
  const std::string text = "x\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80y";
  Utf8Stream stream;
  std::string all;
  for (const char byte : text) {
    const std::string now = stream.add({&byte, 1});
    for (std::size_t at = 0; at < now.size(); at += utf8_length(now.substr(at)))
      REQUIRE(utf8_length(now.substr(at)) > 0);
    all += now;
  }
  CHECK(all + stream.finish() == text);
  CHECK(stream.add("\xE2\x82") == "");
  CHECK(stream.add("a") ==
        "\xEF\xBF\xBD\xEF\xBF\xBD"
        "a");
  CHECK(stream.add("\xF0\x9F") == "");
  CHECK(stream.finish() == "\xEF\xBF\xBD");
  CHECK(stream.finish() == "");
}

TEST_CASE("stop strings end a text, wherever its pieces are cut") {
  const std::string text = "one two three";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    StopFilter filter({"xyz", " th", ""});
    std::string shown;
    for (std::size_t at = 0; at < text.size(); at += piece)
      shown += filter.add(text.substr(at, piece));
    shown += filter.finish();
    CHECK(shown == "one two");
    CHECK(filter.stopped());
  }
  StopFilter none({"threes"});
  CHECK(none.add("one thre") == "one ");
  CHECK(none.add("w") == "threw");
  CHECK(none.add(" three") == " ");
  CHECK(none.finish() == "three");
  CHECK_FALSE(none.stopped());
}

std::vector<double> filtered(const std::vector<double>& p, SamplingOptions options,
                             const std::vector<Token>& before = {}) {
  std::vector<float> logits;
  for (const double x : p) logits.push_back(static_cast<float>(std::log(x)));
  return next_distribution(logits, before, options);
}

void check_equal(const std::vector<double>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]));
}

TEST_CASE("filters against distributions made by hand") {
  const std::vector<double> p{0.1, 0.4, 0.2, 0.3};
  check_equal(filtered(p, {}), p);
  check_equal(filtered(p, {.temperature = 0}), {0, 1, 0, 0});
  check_equal(filtered(p, {.temperature = 0.5}), {0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3});
  check_equal(filtered(p, {.top_k = 2}), {0, 4.0 / 7, 0, 3.0 / 7});
  check_equal(filtered(p, {.top_k = 9}), p);
  // 0.4 + 0.3 crosses 0.5: the token that crosses stays.
  check_equal(filtered(p, {.top_p = 0.5}), {0, 4.0 / 7, 0, 3.0 / 7});
  check_equal(filtered(p, {.top_p = 0.01}), {0, 1, 0, 0});
  check_equal(filtered(p, {.min_p = 0.6}), {0, 4.0 / 7, 0, 3.0 / 7});
  check_equal(filtered(p, {.min_p = 1}), {0, 1, 0, 0});
  // Of equal ones the first.
  check_equal(filtered({0.25, 0.25, 0.25, 0.25}, {.top_k = 2}), {0.5, 0.5, 0, 0});
}

TEST_CASE("the filters come in their order, each on what the one before left") {
  // Temperature first: at 1/2 the shares are 1:16:4:9 of 30, and 16 + 9 = 25 reaches 0.8.
  check_equal(filtered({0.1, 0.4, 0.2, 0.3}, {.temperature = 0.5, .top_p = 0.8}),
              {0, 16.0 / 25, 0, 9.0 / 25});
  // top-k first: of the renormalised 4/9, 3/9, 2/9 the first two reach 0.75; of all they would not.
  check_equal(filtered({0.1, 0.4, 0.2, 0.3}, {.top_k = 3, .top_p = 0.75}),
              {0, 4.0 / 7, 0, 3.0 / 7});
}

TEST_CASE("logits that are no numbers are refused") {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()})
    CHECK_THROWS_AS(next_distribution(std::vector<float>{0, bad, 1}, {}, {}), NumericError);
  const float never = -std::numeric_limits<float>::infinity();
  CHECK_THROWS_AS(next_distribution(std::vector<float>{never, never}, {}, {}), NumericError);
  CHECK(next_distribution(std::vector<float>{never, 0}, {}, {}) == std::vector<double>{0, 1});
}

TEST_CASE("the repetition penalty makes any logit less, once, and only within its window") {
  const std::vector<float> logits{2, -2, 0.5f, 1};
  const auto penalized = [&](const std::vector<Token>& before, std::int64_t window) {
    return next_distribution(logits, before, {.repetition_penalty = 2, .penalty_window = window});
  };
  const auto softmax = [](std::vector<double> x) {
    double total = 0;
    for (double& v : x) total += v = std::exp(v);
    for (double& v : x) v /= total;
    return x;
  };
  check_equal(penalized({0, 1, 0, 0}, 0), softmax({1, -4, 0.5, 1}));
  check_equal(penalized({0, 1, 2}, 1), softmax({2, -2, 0.25, 1}));
  check_equal(penalized({}, 0), softmax({2, -2, 0.5, 1}));
}

TEST_CASE("a draw follows its distribution") {
  const std::vector<double> p{0.25, 0, 0.5, 0.25};
  CHECK(draw(p, 0) == 0);
  CHECK(draw(p, 0.2499) == 0);
  CHECK(draw(p, 0.25) == 2);
  CHECK(draw(p, 0.7499) == 2);
  CHECK(draw(p, 0.75) == 3);
  CHECK(draw(p, 1) == 3);  // rounding: never a token without probability
  CHECK(draw({{0.5, 0.5, 0}}, 1) == 1);
}

// Interpolated Kneser-Ney as its definition says, by counting in maps.
class SlowKneserNey {
 public:
  SlowKneserNey(const std::vector<Token>& text, std::size_t order, std::int64_t vocabulary,
                Discounts discounts)
      : order_(order), vocabulary_(vocabulary) {
    std::vector<std::set<Context>> seen(order + 1);
    for (std::size_t i = 0; i < text.size(); ++i)
      for (std::size_t k = 1; k <= std::min(order, i + 1); ++k) {
        const Context gram(text.begin() + static_cast<std::ptrdiff_t>(i + 1 - k),
                           text.begin() + static_cast<std::ptrdiff_t>(i + 1));
        seen[k].insert(gram);
        if (k == order) ++counts_[gram];
      }
    for (std::size_t k = 2; k <= order; ++k)
      for (const Context& gram : seen[k]) ++counts_[{gram.begin() + 1, gram.end()}];
    for (std::size_t k = 1; k <= order; ++k) d_.push_back(discounts_of(k, discounts));
  }

  double probability(const Context& context, Token token) const {
    const double lower = context.empty() ? 1.0 / static_cast<double>(vocabulary_)
                                         : probability({context.begin() + 1, context.end()}, token);
    double total = 0, taken = 0;
    const auto& d = d_[context.size()];
    for (Token w = 0; w < vocabulary_; ++w) {
      const double c = count(context, w);
      total += c;
      if (c > 0) taken += d[static_cast<std::size_t>(std::min(c, 3.0)) - 1];
    }
    if (total == 0) return lower;
    const double own = count(context, token);
    const double kept = own > 0 ? own - d[static_cast<std::size_t>(std::min(own, 3.0)) - 1] : 0;
    return kept / total + taken / total * lower;
  }

 private:
  double count(Context gram, Token token) const {
    gram.push_back(token);
    const auto found = counts_.find(gram);
    return found == counts_.end() ? 0 : found->second;
  }
  std::vector<double> discounts_of(std::size_t k, Discounts discounts) const {
    double n[5] = {};
    for (const auto& [gram, count] : counts_)
      if (gram.size() == k && count <= 4) n[static_cast<int>(count)] += 1;
    if (n[1] == 0 || n[2] == 0 || n[3] == 0) return {0.5, 0.5, 0.5};
    const double y = n[1] / (n[1] + 2 * n[2]);
    if (discounts == Discounts::one) return {y, y, y};
    return {1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]};
  }

  std::size_t order_;
  std::int64_t vocabulary_;
  std::map<Context, double> counts_;
  std::vector<std::vector<double>> d_;
};

TEST_CASE("Kneser-Ney equals its definition, and its probabilities have sum 1") {
  constexpr std::int64_t vocabulary = 7;
  for (const Discounts discounts : {Discounts::one, Discounts::three})
    for (const std::int64_t order : {1, 2, 4}) {
      const std::vector<Token> text = random_text(700, vocabulary - 1, 3);  // token 6 never occurs
      const KneserNey fast(text, order, vocabulary, discounts);
      const SlowKneserNey slow(text, static_cast<std::size_t>(order), vocabulary, discounts);
      std::vector<Token> contexts = random_text(40, vocabulary, 4);  // known and unknown ones
      for (std::size_t i = 0; i < contexts.size(); ++i) {
        const std::span<const Token> before = std::span(contexts).first(i);
        const auto p = fast.distribution(before);
        CHECK(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1).epsilon(1e-12));
        const std::size_t length = std::min(i, static_cast<std::size_t>(order) - 1);
        const Context context(before.end() - static_cast<std::ptrdiff_t>(length), before.end());
        for (Token w = 0; w < vocabulary; ++w) {
          const double wanted = slow.probability(context, w);
          CHECK(p[static_cast<std::size_t>(w)] == doctest::Approx(wanted).epsilon(1e-9));
          CHECK(wanted > 0);
        }
      }
    }
}

TEST_CASE("Kneser-Ney refuses what it cannot count") {
  const std::vector<Token> text{0, 1, 2};
  CHECK_THROWS_AS(KneserNey(text, 0, 3), ArgumentError);
  CHECK_THROWS_AS(KneserNey(text, 2, 2), ArgumentError);
  CHECK_THROWS_AS(KneserNey({}, 2, 2), ArgumentError);
}

TEST_CASE("an n-gram model scores a text as its distributions say") {
  const std::vector<Token> text = random_text(400, 5, 1), other = random_text(900, 5, 2);
  const Ngram model(text, 3, 5, Discounts::three);
  const auto losses = token_losses(model, other, 300, {.sequences = 4});
  REQUIRE(losses.size() == 600);
  for (std::size_t i = 0; i < losses.size(); i += 7) {
    const auto p = model.counts().distribution(std::span(other).first(300 + i));
    CHECK(losses[i] ==
          doctest::Approx(-std::log(p[static_cast<std::size_t>(other[300 + i])])).epsilon(1e-5));
  }
}

TEST_CASE("lines are scored also by a tokenizer that knows no newline") {
  const auto tokenizer = make_char_tokenizer("abc");
  const Ngram model(tokenizer->encode("abcabcbca"), 2, 3, Discounts::three);
  const auto scores = line_scores(model, *tokenizer, "ab\nc\n");
  REQUIRE(scores.size() == 2);
  CHECK(scores[0].log_likelihood < 0);
  CHECK(scores[0].bits_per_char ==
        doctest::Approx(-scores[0].log_likelihood / 2 / std::numbers::ln2));
}

TEST_CASE("figures are means over the characters, in their units") {
  const std::vector<double> losses(1024, 0.5);
  std::string text;
  for (int i = 0; i < 512; ++i) text += "\xC3\xA4";  // two byte tokens each
  const auto all = figures(losses, text, 256, "test");
  const auto value = [&](const std::string& name) {
    for (const Figure& figure : all)
      if (figure.name == name) return figure.value;
    return std::nan("");
  };
  CHECK(value("nats_per_char") == doctest::Approx(1));
  CHECK(value("bits_per_char") == doctest::Approx(1 / std::log(2.0)));
  CHECK(value("bits_per_byte") == doctest::Approx(0.5 / std::log(2.0)));
  CHECK(value("perplexity") == doctest::Approx(std::exp(0.5)));
  CHECK(all.front().standard_error == doctest::Approx(0));
}

TEST_CASE("a text's parts follow each other and cut no character") {
  std::string text;
  for (int i = 0; i < 333; ++i) text += "\xE2\x82\xAC";
  const TextData data("euro", text);
  CHECK(std::string(data.train()) + std::string(data.validation()) + std::string(data.test()) ==
        text);
  CHECK(data.before_test().size() == data.train().size() + data.validation().size());
  for (const std::string_view part : {data.train(), data.validation(), data.test()})
    CHECK(part.size() % 3 == 0);
  const TextData plain("plain", std::string(1115394, 'a'));
  CHECK(plain.test().size() == 111540);  // the split that publications use of tiny Shakespeare
  CHECK(plain.validation().size() == 100386);
  const TextData whole("whole", text, 0);
  CHECK(whole.validation().empty());
  CHECK(whole.train() == data.before_test());
}

TEST_CASE("generated texts are the same for the same seed") {
  CHECK(generated_text(1000, 1) == generated_text(1000, 1));
  CHECK(generated_text(1000, 1) != generated_text(1000, 2));
  CHECK(generated_text(1000, 1).size() == 1000);
}

TEST_CASE("a text that is continued depends on its number and the seed only") {
  const auto tokenizer = make_byte_tokenizer();
  const std::string text = generated_text(4000, 1);
  const Ngram model(tokenizer->encode(text), 4, 256, Discounts::three);
  const auto continued = [&](std::int64_t count, std::uint64_t seed) {
    GenerationOptions options;
    options.tokens = 50;
    options.count = count;
    options.seed = seed;
    std::vector<std::string> streamed(static_cast<std::size_t>(count));
    const auto texts = generate(model, *tokenizer, tokenizer->encode("the "), options,
                                [&](std::int64_t i, std::string_view part) {
                                  streamed[static_cast<std::size_t>(i)] += part;
                                });
    for (std::size_t i = 0; i < texts.size(); ++i) CHECK(texts[i].text == streamed[i]);
    return streamed;
  };
  const auto three = continued(3, 7);
  CHECK(continued(1, 7)[0] == three[0]);
  CHECK(three[0] != three[1]);
  CHECK(continued(1, 8)[0] != three[0]);
}

}  // namespace
}  // namespace genera::zoo::text
