/// What training reports of a model: its loss on the held-out parts of the text, and a sample.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "zoo/common/console.h"
#include "zoo/common/summary.h"
#include "zoo/text/language_model.h"
#include "zoo/text/settings.h"
#include "zoo/text/text_data.h"
#include "zoo/text/tokenizer.h"

namespace genera::zoo::text {

/// The mean loss on 16384 tokens of the validation part, evenly spread, in nats per token. That costs
/// about as much as a few training steps.
double validation_loss(const LanguageModel& model, const Tokenizer& tokenizer,
                       const TextData& text);

/// Figures on the whole test part, which is predicted as the continuation of what is before it.
std::vector<Figure> test_figures(const LanguageModel& model, const Tokenizer& tokenizer,
                                 const TextData& text, Console& console);

/// Writes what the model says after `begin` to a file, and below it the recipe.
void write_sample_text(const std::filesystem::path& path, const std::string& recipe,
                       const LanguageModel& model, const Tokenizer& tokenizer,
                       const std::vector<Token>& begin, const TextSettings& settings);

}  // namespace genera::zoo::text
