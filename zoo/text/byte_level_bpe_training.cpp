#include <fmt/format.h>
#include <genera/error.h>

#include <queue>
#include <unordered_set>

#include "zoo/text/byte_level_bpe.h"

namespace genera::zoo::text {
namespace {

// A different word of the text, as the tokens that it consists of so far.
struct Word {
  std::vector<Token> tokens;
  std::int64_t count = 0;
};

struct Pair {
  Token left = 0;
  Token right = 0;
  friend bool operator==(const Pair&, const Pair&) = default;
  friend bool operator<(const Pair& a, const Pair& b) {
    return a.left != b.left ? a.left < b.left : a.right < b.right;
  }
};

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::uint64_t>()(pair_key(pair.left, pair.right) * 0x9e3779b97f4a7c15U);
  }
};

// How often a pair occurs, and in which words it did at some time.
struct Occurrences {
  std::int64_t count = 0;
  std::unordered_set<std::size_t> words;
};

struct Candidate {
  std::int64_t count = 0;
  Pair pair;
  friend bool operator<(const Candidate& a, const Candidate& b) {  // the greatest goes first
    return a.count != b.count ? a.count < b.count : b.pair < a.pair;
  }
};

// The text's words with single bytes as tokens, in the order of their first appearance.
std::vector<Word> count_words(std::string_view text, const std::array<Token, 256>& byte_tokens) {
  std::vector<Word> words;
  std::unordered_map<std::string_view, std::size_t> known;
  const PreSplit split(gpt2_pattern, "[train_byte_level_bpe]");
  split(text, [&](std::string_view piece) {
    const auto [found, is_new] = known.emplace(piece, words.size());
    if (is_new) {
      Word word;
      for (const char c : piece) word.tokens.push_back(byte_tokens[static_cast<unsigned char>(c)]);
      words.push_back(std::move(word));
    }
    ++words[found->second].count;
  });
  return words;
}

// Keeps the counts of all pairs while merges are made.
class MergeLearner {
 public:
  explicit MergeLearner(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t i = 0; i < words_.size(); ++i) count_pairs(i, 1);
    for (const auto& [pair, occurrences] : pairs_) queue_.push({occurrences.count, pair});
  }

  /// The pair that occurs most often, if any occurs twice.
  std::optional<Pair> best() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      const std::int64_t count = pairs_[top.pair].count;
      if (count == top.count && count >= 2) return top.pair;
      // Out of date: a count that fell has to queue again, one that rose did.
      if (count < top.count && count >= 2) queue_.push({count, top.pair});
    }
    return std::nullopt;
  }

  void merge(const Pair& pair, Token token) {
    changed_.clear();
    const std::unordered_set<std::size_t> words = std::move(pairs_[pair].words);
    for (const std::size_t index : words) {
      count_pairs(index, -1);
      replace(words_[index].tokens, pair, token);
      count_pairs(index, 1);
    }
    for (const auto& [each, before] : changed_)
      if (const std::int64_t count = pairs_[each].count; count > before) queue_.push({count, each});
  }

 private:
  void count_pairs(std::size_t index, std::int64_t sign) {
    const Word& word = words_[index];
    for (std::size_t i = 0; i + 1 < word.tokens.size(); ++i) {
      const Pair pair{word.tokens[i], word.tokens[i + 1]};
      Occurrences& occurrences = pairs_[pair];
      changed_.emplace(pair, occurrences.count);
      occurrences.count += sign * word.count;
      if (sign > 0) occurrences.words.insert(index);
    }
  }

  static void replace(std::vector<Token>& tokens, const Pair& pair, Token token) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool is_pair =
          i + 1 < tokens.size() && tokens[i] == pair.left && tokens[i + 1] == pair.right;
      tokens[kept++] = is_pair ? token : tokens[i];
      if (is_pair) ++i;
    }
    tokens.resize(kept);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Occurrences, PairHash> pairs_;
  std::priority_queue<Candidate> queue_;
  std::unordered_map<Pair, std::int64_t, PairHash> changed_;  // with the counts before a merge
};

}  // namespace

ByteLevelVocabulary train_byte_level_bpe(std::string_view text, std::int64_t size) {
  constexpr std::int64_t bytes = 256;
  if (size < bytes)
    throw ArgumentError(fmt::format(
        "[train_byte_level_bpe] the {} bytes are tokens, so {} tokens are too few", bytes, size));
  ByteLevelVocabulary vocabulary;
  vocabulary.patterns = {gpt2_pattern};
  std::array<Token, 256> byte_tokens{};
  // GPT-2's order: printable bytes first, as their names sort.
  for (const bool is_printable : {true, false})
    for (unsigned byte = 0; byte < bytes; ++byte) {
      const std::string token(1, static_cast<char>(byte));
      const std::string name = name_of_bytes(token);
      const bool stands_for_itself =
          (byte < 0x80 && name == token) ||
          (name.size() == 2 && static_cast<unsigned char>(name[0]) < 0xc4);
      if (stands_for_itself != is_printable) continue;
      byte_tokens[byte] = static_cast<Token>(vocabulary.tokens.size());
      vocabulary.tokens.push_back(token);
    }
  std::unordered_map<std::string, Token> known;
  MergeLearner learner(count_words(text, byte_tokens));
  while (static_cast<std::int64_t>(vocabulary.tokens.size()) < size) {
    const auto pair = learner.best();
    if (!pair) break;
    const std::string merged = vocabulary.tokens[static_cast<std::size_t>(pair->left)] +
                               vocabulary.tokens[static_cast<std::size_t>(pair->right)];
    // Another pair may have made the same token before.
    const auto [token, is_new] =
        known.emplace(merged, static_cast<Token>(vocabulary.tokens.size()));
    if (is_new) vocabulary.tokens.push_back(merged);
    vocabulary.merges.emplace_back(pair->left, pair->right);
    learner.merge(*pair, token->second);
  }
  return vocabulary;
}

}  // namespace genera::zoo::text
