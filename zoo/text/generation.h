/// Texts that a model continues.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "zoo/text/language_model.h"
#include "zoo/text/sampling.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

struct GenerationOptions {
  SamplingOptions sampling;
  std::int64_t tokens = 500;       ///< at most so many new ones each
  std::vector<std::string> stops;  ///< a text ends before the first of these
  std::uint64_t seed = 0;
  std::int64_t count = 1;  ///< texts; text i depends on the seed and i only
};

/// What a text became.
struct Generated {
  std::string text;  ///< after the prompt, valid UTF-8
  std::int64_t tokens = 0;
};

/// Holds text back as long as it may be the beginning of a stop string.
class StopFilter {
 public:
  explicit StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {}
  /// What of the text so far can be shown. After a stop string: what is before it, then nothing.
  std::string add(std::string_view text);
  /// What was held back.
  std::string finish();
  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

/// Continues `prompt` (at least one token) `options.count` times, all of them as one batch.
/// `on_text` is given the texts' new characters as they come, each time only whole ones. When the
/// context is full, the model reads the last half of it again and goes on.
std::vector<Generated> generate(
    const LanguageModel& model, const Tokenizer& tokenizer, const std::vector<Token>& prompt,
    const GenerationOptions& options,
    const std::function<void(std::int64_t text, std::string_view characters)>& on_text = {});

}  // namespace genera::zoo::text
