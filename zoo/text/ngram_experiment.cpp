#include "zoo/text/ngram_experiment.h"

#include <genera/ops.h>

#include <algorithm>

#include "zoo/text/evaluation.h"
#include "zoo/text/held_out.h"

namespace genera::zoo::text {

NgramExperiment::NgramExperiment(const TextSettings& settings)
    : settings_(settings),
      text_(open_data(settings)),
      tokenizer_(make_tokenizer(settings, text_)),
      counted_(tokenizer_->encode(text_.before_test())),
      model_(counted_, settings.order, tokenizer_->vocabulary_size(), settings.ngram_discounts()) {}

// The loss on the end of what was counted.
NamedTensors NgramExperiment::step(const StepInfo&) {
  constexpr std::size_t most = 4096;
  const std::size_t first = counted_.size() > most ? counted_.size() - most : 1;
  const double loss = mean_of(token_losses(model_, counted_, first));
  return {{"loss", full({}, loss)}};
}

std::vector<Tensor> NgramExperiment::step_graph(const StepInfo& info) {
  return {step(info).front().second};
}

Metrics NgramExperiment::validate() {
  if (text_.validation().empty()) return {};
  const Ngram without(tokenizer_->encode(text_.train()), settings_.order, model_.vocabulary(),
                      settings_.ngram_discounts());
  return {{"loss", validation_loss(without, *tokenizer_, text_)}};
}

void NgramExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  write_sample_text(path, recipe, model_, *tokenizer_, {counted_.front()}, settings_);
}

io::Metadata NgramExperiment::description() const {
  return {{"program", "genera-text"}, {"tokenizer", tokenizer_->to_json()}};
}

std::vector<Figure> NgramExperiment::evaluate(Console& console) {
  return test_figures(model_, *tokenizer_, text_, console);
}

}  // namespace genera::zoo::text
