#include "zoo/text/held_out.h"

#include <fmt/core.h>

#include "zoo/common/run_folder.h"
#include "zoo/text/evaluation.h"
#include "zoo/text/generation.h"

namespace genera::zoo::text {
namespace {

// The end of what is before a part of the text, and the part: so that its first tokens too are
// predicted from something.
struct Continued {
  std::vector<Token> tokens;
  std::size_t first;  // of the part
};

Continued continued(const Tokenizer& tokenizer, std::string_view before, std::string_view part) {
  constexpr std::size_t context_bytes = 4096;
  std::size_t begin = before.size() > context_bytes ? before.size() - context_bytes : 0;
  // Not in the middle of a character; where there are none, anywhere.
  for (const std::size_t cut = begin; begin < std::min(cut + 3, before.size() - 1); ++begin)
    if ((static_cast<unsigned char>(before[begin]) & 0xC0) != 0x80) break;
  Continued result{tokenizer.encode(before.substr(begin)), 0};
  result.first = result.tokens.size();
  const std::vector<Token> rest = tokenizer.encode(part);
  result.tokens.insert(result.tokens.end(), rest.begin(), rest.end());
  return result;
}

}  // namespace

double validation_loss(const LanguageModel& model, const Tokenizer& tokenizer,
                       const TextData& text) {
  const auto [tokens, first] = continued(tokenizer, text.train(), text.validation());
  return mean_of(token_losses(model, tokens, first, {.most = 16384}));
}

std::vector<Figure> test_figures(const LanguageModel& model, const Tokenizer& tokenizer,
                                 const TextData& text, Console& console) {
  constexpr std::int64_t block = 512;  // tokens: blocks of this size depend on each other little
  const auto [tokens, first] = continued(tokenizer, text.before_test(), text.test());
  const std::int64_t context = least_context(model);
  console.note(fmt::format("eval: predicts {} tokens, each from at least {} before it",
                           tokens.size() - first, context));
  return figures(
      token_losses(model, tokens, first), text.test(), block,
      fmt::format("the last tenth of the text, each token given at least {} before it", context));
}

void write_sample_text(const std::filesystem::path& path, const std::string& recipe,
                       const LanguageModel& model, const Tokenizer& tokenizer,
                       const std::vector<Token>& begin, const TextSettings& settings) {
  GenerationOptions options;
  options.tokens = settings.train.smoke ? 40 : 500;
  options.seed = settings.train.seed;
  const auto texts = generate(model, tokenizer, begin, options);
  write_text(path, fmt::format("{}\n\n# {}\n", texts.front().text, recipe));
}

}  // namespace genera::zoo::text
