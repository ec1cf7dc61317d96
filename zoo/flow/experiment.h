/// The training of a flow: what one step does, and what validation and samples are.
#pragma once

#include <genera/optim.h>

#include <memory>

#include "zoo/common/train_verb.h"
#include "zoo/common/weight_average.h"
#include "zoo/flow/settings.h"

namespace genera::zoo::flow {

class FlowExperiment : public Trainable {
 public:
  explicit FlowExperiment(const FlowSettings& settings);

  std::vector<State> states() const override;
  std::vector<State> model_states() const override { return model_->states(); }
  void with_evaluation_weights(const std::function<void()>& body) override {
    average_.during(body);
  }
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override;
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override { return examples_->steps_per_epoch(); }
  std::int64_t default_epochs() const override { return settings_.train.smoke ? 1 : 10; }
  std::int64_t parameter_count() const override;
  std::vector<std::pair<std::string, std::string>> chosen() const override;
  std::string item_name() const override { return "examples"; }
  std::string data_name() const override { return examples_->name(); }
  std::string data_digest() const override { return examples_->digest(); }
  std::string loss_label() const override {
    return model_->is_image() ? "bits per dimension" : "negative log-likelihood (nats)";
  }
  std::vector<Figure> evaluate(Console& console) override;

 private:
  /// Starts what starts from data, before the first step.
  void start(const StepInfo& info);
  Tensor loss(const StepInfo& info);
  Gradients gradients(const Tensor& loss) const;
  double clip() const;

  FlowSettings settings_;
  std::unique_ptr<Examples> examples_;
  std::shared_ptr<const FlowModel> model_;
  std::vector<State> started_;  ///< flags of the layers that start from data
  std::vector<Tensor>
      seen_set_;  ///< their values when all were set: while these are the flags', nobody need read them
  std::unique_ptr<optim::Optimizer> optimizer_;
  WeightAverage average_;
};

}  // namespace genera::zoo::flow
