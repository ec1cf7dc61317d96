#include "zoo/flow/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>
#include <numbers>

#include "zoo/common/extents.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/saved_states.h"
#include "zoo/flow/evaluation.h"
#include "zoo/flow/pictures.h"

namespace genera::zoo::flow {
namespace {

// Of the validation split that many examples choose the best weights: enough to tell them apart.
constexpr std::int64_t validated_images = 1000;

// In bits per dimension: what the norm hardly exceeds once training runs. Outliers are what makes
// flows diverge.
constexpr double image_clip = 0.3;

// The seed's derived key; keys 0 and 1 initialise the model and order the data.
Key step_key(const FlowSettings& settings, std::int64_t step) {
  return Key(settings.train.seed).fold_in(2).fold_in(static_cast<std::uint64_t>(step));
}

// Nats of one example in the unit of the loss.
double loss_unit(const FlowModel& model) {
  return model.is_image() ? 1 / (static_cast<double>(model.size()) * std::numbers::ln2) : 1;
}

std::unique_ptr<optim::Optimizer> make_optimizer(const FlowSettings& settings,
                                                 const FlowModel& model) {
  const double lr = settings.lr;
  if (settings.optimizer == "adamax")
    return std::make_unique<optim::Adamax>(model.parameters(), optim::AdamaxOptions{.lr = lr});
  return std::make_unique<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = lr});
}

}  // namespace

FlowExperiment::FlowExperiment(const FlowSettings& settings)
    : settings_(settings),
      examples_(open_examples(settings)),
      model_(make_flow(settings, examples_->shape())),
      optimizer_(make_optimizer(settings, *model_)) {
  if (!model_->is_image()) {
    const Examples::Moments moments = examples_->moments();
    model_->standardise(moments.mean, moments.deviation);
  }
  for (const State& state : model_->states())
    if (state.name().ends_with("initialised")) started_.push_back(state);
  average_ = WeightAverage(model_->parameters(), settings.weight_average);
}

std::vector<State> FlowExperiment::states() const {
  return joined({model_->states(), optimizer_->states(), average_.states()});
}

void FlowExperiment::start(const StepInfo& info) {
  const auto is_started = [](const State& flag) { return flag.value().item<std::int32_t>() != 0; };
  const auto is_seen = [](const State& flag, const Tensor& seen) {
    return flag.value().node() == seen.node();
  };
  if (std::equal(started_.begin(), started_.end(), seen_set_.begin(), seen_set_.end(), is_seen))
    return;
  if (std::all_of(started_.begin(), started_.end(), is_started)) {
    seen_set_.clear();
    for (const State& flag : started_) seen_set_.push_back(flag.value());
    return;
  }
  model_->initialise(examples_->training_batch(info.step),
                     step_key(settings_, info.step).fold_in(1));
  if (optim::Ema* ema = average_.ema())
    for (std::size_t i = 0; i < ema->states().size(); ++i)
      ema->states()[i].set(ema->parameters()[i].value());
}

Tensor FlowExperiment::loss(const StepInfo& info) {
  start(info);
  const Tensor x = examples_->training_batch(info.step);
  const Tensor log_likelihood =
      model_->log_likelihood(x, step_key(settings_, info.step).fold_in(0));
  return mean(log_likelihood) * -loss_unit(*model_);
}

double FlowExperiment::clip() const {
  return settings_.clip >= 0 ? settings_.clip : model_->is_image() ? image_clip : 0;
}

Gradients FlowExperiment::gradients(const Tensor& loss) const {
  Gradients gradients = grad(loss, optimizer_->parameters());
  if (clip() > 0) gradients = optim::clip_by_global_norm(std::move(gradients), clip());
  return gradients;
}

NamedTensors FlowExperiment::step(const StepInfo& info) {
  const Tensor now = loss(info);
  optimizer_->scale_learning_rate(rate_factor(settings_.schedule, info, settings_.lr_warmup));
  optimizer_->step(gradients(now), {.average = average_.ema()});
  return {{"loss", now}};
}

std::vector<Tensor> FlowExperiment::step_graph(const StepInfo& info) {
  return graphs_of(gradients(loss(info)));
}

Metrics FlowExperiment::validate() {
  Console quiet(true);
  const ExampleList chosen = model_->is_image()
                                 ? split_of(*examples_, data::Split::validation, validated_images)
                                 : split_of(*examples_, data::Split::validation);
  const std::vector<double> nats = log_likelihoods(*model_, chosen, 1, quiet);
  return {{"loss", -mean_of(nats) * loss_unit(*model_)}};
}

void FlowExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  constexpr std::int64_t count = 64;
  const std::uint64_t seed = settings_.train.seed;
  if (model_->is_image())
    write_grid(path, sample_examples(*model_, count, seed, 1), recipe);
  else if (const Density2d* density = examples_->density())
    write_grid(path, density_pictures(*model_, *density, seed), recipe, {.columns = 3});
  else
    write_grid(path, pair_pictures(*model_, *examples_, seed, 1), recipe,
               {.columns = pair_columns(*model_), .scale = 4});
}

io::Metadata FlowExperiment::description() const {
  return {{"program", "genera-flow"},
          {model_->is_image() ? "image" : "vector", extents_text(model_->shape().example)}};
}

std::int64_t FlowExperiment::parameter_count() const { return element_count(model_->parameters()); }

std::vector<std::pair<std::string, std::string>> FlowExperiment::chosen() const {
  const FlowShape& shape = model_->shape();
  return {{"layers", std::to_string(shape.layers)},
          {"hidden", std::to_string(shape.hidden)},
          {"logit", fmt::format("{}", shape.logit)},
          {"clip", fmt::format("{}", clip())}};
}

std::vector<Figure> FlowExperiment::evaluate(Console& console) {
  return flow::evaluate(*model_, *examples_, 1, console);
}

}  // namespace genera::zoo::flow
