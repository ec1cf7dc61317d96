#include "zoo/text/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/failure.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/saved_states.h"
#include "zoo/text/held_out.h"
#include "zoo/text/recurrent.h"

namespace genera::zoo::text {
namespace {

// The seed's derived key; key 0 initialises the model.
Key step_key(const TextSettings& settings) { return Key(settings.train.seed).fold_in(1); }

std::vector<Token> training_tokens(const TextSettings& settings, const Tokenizer& tokenizer,
                                   const TextData& text) {
  std::vector<Token> tokens = tokenizer.encode(text.train());
  if (std::ssize(tokens) < settings.context + 2)
    throw UsageError(fmt::format("--context {} is too much for the {} tokens of the training text",
                                 settings.context, tokens.size()));
  return tokens;
}

std::vector<State> carried_by(LanguageModel& model, std::int64_t batch) {
  auto* recurrent = dynamic_cast<Recurrent*>(&model);
  if (recurrent == nullptr) return {};
  recurrent->carry(batch);
  return recurrent->carried();
}

}  // namespace

TextExperiment::TextExperiment(const TextSettings& settings)
    : settings_(settings.resolved()),
      text_(open_data(settings)),
      tokenizer_(make_tokenizer(settings, text_)),
      train_(training_tokens(settings_, *tokenizer_, text_)),
      model_(make_model(settings, tokenizer_->vocabulary_size())),
      carried_(carried_by(*model_, settings.train.batch)),
      adam_(model_->parameters(), {.lr = settings_.lr,
                                   .beta2 = 0.99,
                                   .weight_decay = settings_.weight_decay,
                                   .decays = optim::is_matrix}) {}

std::vector<State> TextExperiment::states() const {
  return joined({model_->parameters(), adam_.states(), carried_});
}

// What step `step` learns from, (B,T+1). A recurrent model reads B parts of the text side by side,
// from where it stopped in the step before; a Transformer takes B places anywhere.
Tensor TextExperiment::tokens_of(std::int64_t step) const {
  const std::int64_t batch = settings_.train.batch, length = settings_.context;
  const std::int64_t size = std::ssize(train_);
  std::vector<std::int64_t> places;
  if (carried_.empty()) {
    const Key key = step_key(settings_).fold_in(static_cast<std::uint64_t>(step)).fold_in(0);
    for (const std::uint64_t bits : random_bits_on_host(key, batch))
      places.push_back(static_cast<std::int64_t>(bits * static_cast<std::uint64_t>(size - length) >>
                                                 32));  // a share of all places
  } else {
    for (std::int64_t b = 0; b < batch; ++b)
      places.push_back((b * size / batch + step * length) % size);
  }
  std::vector<Token> tokens;
  tokens.reserve(static_cast<std::size_t>(batch * (length + 1)));
  for (const std::int64_t place : places)
    for (std::int64_t t = 0; t <= length; ++t)
      tokens.push_back(train_[static_cast<std::size_t>((place + t) % size)]);
  return Tensor::from(tokens, {batch, length + 1});
}

Tensor TextExperiment::loss(const StepInfo& info, Context& context) const {
  const std::int64_t length = settings_.context;
  const Tensor tokens = tokens_of(info.step);
  return cross_entropy(model_->logits(slice(tokens, 1, 0, length), context),
                       slice(tokens, 1, 1, length + 1));
}

Gradients TextExperiment::gradients(const Tensor& loss) const {
  Gradients gradients = grad(loss, adam_.parameters());
  if (settings_.clip > 0)
    gradients = optim::clip_by_global_norm(std::move(gradients), settings_.clip);
  return gradients;
}

// Up for the warm-up, which is at most a tenth of the run, then down along a cosine.
double TextExperiment::rate(const StepInfo& info) const {
  constexpr double last = 0.05;
  const std::int64_t warm_up =
      std::clamp<std::int64_t>(info.steps / 10, 1, std::max<std::int64_t>(settings_.lr_warmup, 1));
  return rate_factor(settings_.schedule, info, warm_up, last);
}

NamedTensors TextExperiment::step(const StepInfo& info) {
  const Key key = step_key(settings_).fold_in(static_cast<std::uint64_t>(info.step)).fold_in(1);
  Context context = Context::training(key);
  const Tensor now = loss(info, context);
  adam_.scale_learning_rate(rate(info));
  adam_.step(gradients(now), {.updates = context.take_updates()});
  return {{"loss", now}};
}

std::vector<Tensor> TextExperiment::step_graph(const StepInfo& info) {
  const Key key = step_key(settings_).fold_in(static_cast<std::uint64_t>(info.step)).fold_in(1);
  Context context = Context::training(key);
  return graphs_of(gradients(loss(info, context)));
}

Metrics TextExperiment::validate() {
  if (text_.validation().empty()) return {};
  return {{"loss", validation_loss(*model_, *tokenizer_, text_)}};
}

void TextExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  write_sample_text(path, recipe, *model_, *tokenizer_, {train_.front()}, settings_);
}

io::Metadata TextExperiment::description() const {
  return {{"program", "genera-text"}, {"tokenizer", tokenizer_->to_json()}};
}

std::int64_t TextExperiment::steps_per_epoch() const {
  return std::max<std::int64_t>(1,
                                std::ssize(train_) / (settings_.train.batch * settings_.context));
}

std::int64_t TextExperiment::parameter_count() const { return element_count(model_->parameters()); }

std::vector<std::pair<std::string, std::string>> TextExperiment::chosen() const {
  return {{"context", std::to_string(settings_.context)},
          {"layers", std::to_string(settings_.layers)},
          {"width", std::to_string(settings_.width)},
          {"lr", fmt::format("{}", settings_.lr)}};
}

std::vector<Figure> TextExperiment::evaluate(Console& console) {
  return test_figures(*model_, *tokenizer_, text_, console);
}

}  // namespace genera::zoo::text
