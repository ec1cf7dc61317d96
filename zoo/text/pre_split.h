/// Cutting a text into words before pairs are merged, which never cross a cut.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace genera::zoo::text {

/// GPT-2's pattern (Radford et al., 2019, section 2.2): contractions, and runs of letters, of digits
/// or of other signs with the blank before them. \s is spelt out as Unicode's White_Space, which
/// PCRE2's differs from.
extern const char* const gpt2_pattern;
/// Llama 3's.
extern const char* const llama3_pattern;

/// A regular expression over UTF-8 with Unicode's classes.
class PreSplit {
 public:
  /// DataError, which begins with `source`, for a pattern that is not valid.
  PreSplit(const std::string& pattern, const std::string& source);
  ~PreSplit();
  PreSplit(PreSplit&&) noexcept;

  const std::string& pattern() const { return pattern_; }

  /// Hands each match, and each stretch between matches, to `word`, from left to right; together
  /// they are the text. Bytes that are not UTF-8 match nothing. DataError when a pattern takes too
  /// long.
  void operator()(std::string_view text, const std::function<void(std::string_view)>& word) const;

 private:
  struct Compiled;
  std::string pattern_;
  std::string source_;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace genera::zoo::text
