/// The "training" of the n-gram model: one step that counts.
#pragma once

#include <memory>
#include <vector>

#include "zoo/common/train_verb.h"
#include "zoo/text/ngram.h"
#include "zoo/text/settings.h"

namespace genera::zoo::text {

/// No setting is chosen by the validation part, so that the model counts it too; the validation's
/// loss is that of a model which did not.
class NgramExperiment : public Trainable {
 public:
  explicit NgramExperiment(const TextSettings& settings);

  std::vector<State> states() const override { return model_.states(); }
  std::vector<State> model_states() const override { return model_.states(); }
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override;
  std::string sample_extension() const override { return "txt"; }
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override { return 1; }
  std::int64_t default_epochs() const override { return 1; }
  std::int64_t parameter_count() const override { return model_.counts().ngrams(); }
  std::string item_name() const override { return "tokens"; }
  std::int64_t items_per_step() const override { return std::ssize(counted_); }
  std::string data_name() const override { return text_.name(); }
  std::string data_digest() const override { return text_.digest(); }
  std::string loss_label() const override { return "cross entropy (nats per token)"; }
  std::vector<Figure> evaluate(Console& console) override;

 private:
  TextSettings settings_;
  TextData text_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<Token> counted_;
  Ngram model_;
};

}  // namespace genera::zoo::text
