/// The training of a neural language model: what one step does, and what validation and samples are.
#pragma once

#include <genera/optim.h>

#include <memory>
#include <vector>

#include "zoo/common/train_verb.h"
#include "zoo/text/settings.h"

namespace genera::zoo::text {

class TextExperiment : public Trainable {
 public:
  explicit TextExperiment(const TextSettings& settings);

  std::vector<State> states() const override;
  std::vector<State> model_states() const override { return model_->parameters(); }
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override;
  std::string sample_extension() const override { return "txt"; }
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override;
  std::int64_t default_epochs() const override { return settings_.train.smoke ? 2 : 10; }
  std::int64_t parameter_count() const override;
  std::vector<std::pair<std::string, std::string>> chosen() const override;
  std::string item_name() const override { return "tokens"; }
  std::int64_t items_per_step() const override { return settings_.train.batch * settings_.context; }
  std::string data_name() const override { return text_.name(); }
  std::string data_digest() const override { return text_.digest(); }
  std::string loss_label() const override { return "cross entropy (nats per token)"; }
  std::vector<Figure> evaluate(Console& console) override;

 private:
  Tensor tokens_of(std::int64_t step) const;
  Tensor loss(const StepInfo& info, Context& context) const;
  Gradients gradients(const Tensor& loss) const;
  double rate(const StepInfo& info) const;

  TextSettings settings_;  // resolved
  TextData text_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<Token> train_;
  std::unique_ptr<LanguageModel> model_;
  std::vector<State> carried_;  // what a recurrent model carries from step to step
  optim::AdamW adam_;
};

}  // namespace genera::zoo::text
