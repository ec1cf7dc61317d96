/// What a flow is made and trained with: the flags of genera-flow.
#pragma once

#include <memory>
#include <string>

#include "zoo/common/common_flags.h"
#include "zoo/flow/examples.h"
#include "zoo/flow/model.h"

namespace genera::zoo {
class Verb;
}

namespace genera::zoo::flow {

struct FlowSettings {
  TrainFlags train;
  std::string model = "spline";
  std::int64_t layers = 0;  ///< 0: the model's own, as hidden
  std::int64_t hidden = 0;
  std::int64_t levels = 2;
  std::int64_t bins = 8;
  double bound = 3;
  std::string convolution = "lu";
  std::string dequantisation = "uniform";
  double logit = -1;  ///< below 0: the model's own
  std::string optimizer = "adam";
  double lr = 2e-3;
  std::int64_t lr_warmup = 200;
  std::string schedule = "cosine";
  double clip = -1;  ///< below 0: the model's own
  double weight_average = 0.999;
};

/// Adds all of a training run's flags.
void add_flags(Verb& verb, FlowSettings& settings);

/// Whether the settings ask for a flow on images. UsageError when model and data do not fit.
bool on_images(const FlowSettings& settings);

/// Gives --batch the value that suits images, if the flow is on images and it was not given.
void choose_batch(Verb& verb, const FlowSettings& settings);

/// The examples that the settings name; with --smoke a few generated ones.
std::unique_ptr<Examples> open_examples(const FlowSettings& settings);

/// The model for examples of (D) or (C,H,W), initialised from the seed. UsageError when the sizes do
/// not fit.
std::shared_ptr<const FlowModel> make_flow(const FlowSettings& settings, const Shape& example);

}  // namespace genera::zoo::flow
