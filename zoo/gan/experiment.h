/// The training of a GAN: what one step does, and what validation and samples are.
#pragma once

#include <genera/optim.h>

#include <memory>

#include "zoo/common/train_verb.h"
#include "zoo/common/weight_average.h"
#include "zoo/gan/settings.h"

namespace genera::zoo::gan {

class GanExperiment : public Trainable {
 public:
  explicit GanExperiment(const GanSettings& settings);

  /// Makes ready what validation needs and can take minutes the first time (the classifier), so
  /// that no step's time is measured with it.
  void prepare() {
    Console console(settings_.train.compute.quiet);
    examples_->prepare(console);
  }

  std::vector<State> states() const override;
  std::vector<State> model_states() const override {
    return nn::states(gan_.generator, gan_.discriminator);
  }
  /// The averaged generator, with the batch-norm statistics that it has now.
  void with_evaluation_weights(const std::function<void()>& body) override {
    average_.during(body);
  }
  /// Some steps of the discriminator, one commit each, then one of the generator.
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override { return examples_->validate(sampler()); }
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override;
  std::int64_t default_epochs() const override { return settings_.train.smoke ? 3 : 20; }
  std::int64_t parameter_count() const override;
  std::vector<std::pair<std::string, std::string>> chosen() const override;
  std::string data_name() const override { return examples_->name(); }
  std::string kept_data(const std::string& data) const override {
    return examples_->example().rank() == 1 ? data : Trainable::kept_data(data);
  }
  std::string data_digest() const override { return examples_->digest(); }
  std::string item_name() const override {
    return examples_->example().rank() == 1 ? "points" : "images";
  }
  std::int64_t items_per_step() const override {
    return settings_.train.batch * recipe_.critic_steps;
  }
  std::string loss_label() const override { return examples_->loss_label(); }
  std::vector<Figure> evaluate(Console& console) override {
    return examples_->evaluate(sampler(), console);
  }

 private:
  struct CriticTerms {
    Tensor loss;
    Tensor penalty;  ///< empty without
    std::vector<Update> updates;
  };
  struct GeneratorTerms {
    Tensor loss;
    std::vector<Update> updates;
  };
  CriticTerms critic_terms(std::int64_t step, std::int64_t round);
  GeneratorTerms generator_terms(std::int64_t step) const;
  Key step_key(std::int64_t step) const;
  Sampler sampler() const;

  GanSettings settings_;
  std::unique_ptr<Examples> examples_;
  GanRecipe recipe_;
  Gan gan_;
  optim::Adam critic_adam_, generator_adam_;
  WeightAverage average_;
};

}  // namespace genera::zoo::gan
