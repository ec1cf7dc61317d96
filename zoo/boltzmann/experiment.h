/// The training of a Boltzmann machine: what one step does, and what validation and samples are.
#pragma once

#include <genera/data.h>
#include <genera/optim.h>

#include <memory>
#include <optional>
#include <vector>

#include "zoo/boltzmann/ais.h"
#include "zoo/boltzmann/settings.h"
#include "zoo/common/image_data.h"
#include "zoo/common/train_verb.h"

namespace genera::zoo::boltzmann {

class BoltzmannExperiment : public Trainable {
 public:
  explicit BoltzmannExperiment(const BoltzmannSettings& settings);

  std::vector<State> states() const override;
  std::vector<State> model_states() const override { return nn::states(model_); }
  void with_evaluation_weights(const std::function<void()>& body) override;
  NamedTensors step(const StepInfo& info) override;
  std::vector<Tensor> step_graph(const StepInfo& info) override;
  Metrics validate() override;
  std::vector<std::string> plotted() const override { return {"loss", "negative_log_likelihood"}; }
  void write_samples(const std::filesystem::path& path, const std::string& recipe) override;
  io::Metadata description() const override;

  std::string model() const override { return settings_.model; }
  std::int64_t steps_per_epoch() const override { return data_.steps_per_epoch(); }
  std::int64_t default_epochs() const override { return settings_.train.smoke ? 5 : 20; }
  std::int64_t parameter_count() const override;
  std::vector<std::pair<std::string, std::string>> chosen() const override;
  std::string data_name() const override { return data_.name(); }
  std::string data_digest() const override { return data_.digest(); }
  std::string loss_label() const override { return "negative log-likelihood (nats)"; }
  std::vector<Figure> evaluate(Console& console) override;

 private:
  /// One machine and what trains it. A deep belief net has one for each of its layers, trained one
  /// after the other; every other model one.
  struct Stage {
    const Machine* machine;
    Sampler sampler;
    optim::Sgd sgd;
    std::optional<optim::Ema> average;
  };
  struct Terms {
    Gradients gradients;
    std::vector<Update> updates;
  };
  struct Place {
    std::size_t stage;
    std::int64_t step, steps;  // of the stage, or of the part of it in which `first` is trained
    bool first;
  };
  AisOptions annealing(std::int64_t betas) const;
  void add_stage(const Machine& machine);
  Place place(const StepInfo& info) const;
  double rate(const Place& at) const;
  void set_base(std::size_t stage);
  Tensor visible_batch(std::int64_t step, std::size_t stage, const Key& key);
  Terms terms(const StepInfo& info);
  Tensor exact_loss(const Tensor& v) const;

  BoltzmannSettings settings_;
  ImageData data_;
  Model model_;
  std::vector<Stage> stages_;
  std::optional<LayeredMachine> first_;  // dbm: what is trained alone first
};

}  // namespace genera::zoo::boltzmann
