/// The training of a VAE: what one step does, and what validation and samples are.
#pragma once

#include <genera/optim.h>

#include <memory>

#include "zoo/common/image_data.h"
#include "zoo/common/train_verb.h"
#include "zoo/common/weight_average.h"
#include "zoo/vae/settings.h"

namespace genera::zoo::vae {

class VaeExperiment : public Trainable {
 public:
  explicit VaeExperiment(const VaeSettings& settings);

  std::vector<State> states() const override;
  std::vector<State> model_states() const override { return objective_.states(); }
  void with_evaluation_weights(const std::function<void()>& body) override {
    average_.during(body);
  }
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override;
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override { return data_.steps_per_epoch(); }
  std::int64_t default_epochs() const override { return settings_.train.smoke ? 5 : 20; }
  std::int64_t parameter_count() const override;
  std::vector<std::pair<std::string, std::string>> chosen() const override;
  std::string data_name() const override { return data_.name(); }
  std::string data_digest() const override { return data_.digest(); }
  std::string loss_label() const override;
  std::vector<Figure> evaluate(Console& console) override;

 private:
  struct Terms {
    Tensor loss;         ///< mean over the batch
    NamedTensors parts;  ///< what it is made of, likewise
    std::vector<Update> updates;
  };
  Terms terms(const StepInfo& info);
  Terms elbo_terms(const data::Batch& batch, const StepInfo& info) const;
  Terms iwae_terms(const data::Batch& batch, const StepInfo& info) const;
  Key step_key(const StepInfo& info) const;
  Gradients gradients(const Terms& terms) const;
  bool binarize() const { return settings_.binarize == "dynamic"; }

  VaeSettings settings_;
  ImageData data_;
  VaeObjective objective_;
  optim::Adam adam_;
  WeightAverage average_;
};

}  // namespace genera::zoo::vae
