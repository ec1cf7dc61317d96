#include "zoo/text/trained.h"

#include <algorithm>

#include "zoo/common/failure.h"
#include "zoo/common/saved_states.h"
#include "zoo/text/ngram.h"

namespace genera::zoo::text {
namespace {

TrainedText trained_ngram(const TrainedRun& run, const TextSettings& settings,
                          std::shared_ptr<const Tokenizer> tokenizer) {
  const auto& tensors = run.checkpoint.tensors;
  const auto text = std::find_if(tensors.begin(), tensors.end(),
                                 [](const io::NamedArray& array) { return array.name == "text"; });
  if (text == tensors.end() || text->array.shape.rank() != 1)
    throw DataError(run.file + ": has no counted text");
  auto model = std::make_shared<Ngram>(text->array.shape[0], settings.order,
                                       tokenizer->vocabulary_size(), settings.ngram_discounts());
  run.restore(model->states());
  try {
    model->restored();
  } catch (const ArgumentError& error) {
    throw DataError(run.file + ": " + error.what());
  }
  const std::int64_t ngrams = model->counts().ngrams();
  return {std::move(model), std::move(tokenizer), ngrams};
}

}  // namespace

TrainedText trained_text(const TrainedRun& run, const TextSettings& settings) {
  const auto found = run.checkpoint.metadata.find("tokenizer");
  const std::string json = found == run.checkpoint.metadata.end() ? "" : found->second;
  std::shared_ptr<const Tokenizer> tokenizer = tokenizer_from_json(json, run.file);
  if (settings.model == "ngram") return trained_ngram(run, settings, std::move(tokenizer));
  std::shared_ptr<const LanguageModel> model =
      run.built([&] { return make_model(settings, tokenizer->vocabulary_size()); });
  const auto parameters = model->parameters();
  run.restore(parameters);
  return {std::move(model), std::move(tokenizer), element_count(parameters)};
}

TrainedText trained_text(const ModelFile& file) {
  return {file.model, file.tokenizer, element_count(file.model->parameters())};
}

}  // namespace genera::zoo::text
