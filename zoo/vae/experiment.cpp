#include "zoo/vae/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/failure.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/saved_states.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo {
namespace {

// The seed's derived keys: 0 initialises the model, 1 orders the data.
Key step_key(const VaeSettings& settings) { return Key(settings.train.seed).fold_in(2); }

const VaeSettings& consistent(const VaeSettings& settings) {
  if (settings.likelihood == "logistic" && settings.binarize != "none")
    throw UsageError(fmt::format(
        "--likelihood logistic models 256 grey levels, --binarize {} leaves two: give one of them",
        settings.binarize));
  return settings;
}

}  // namespace

VaeExperiment::VaeExperiment(const VaeSettings& settings)
    : settings_(consistent(settings)),
      data_(settings.train),
      objective_(make_objective(settings, data_.train().channels(), data_.train().height(),
                                data_.train().width())),
      adam_(objective_.parameters(), {.lr = settings.lr}) {
  if (settings.weight_average > 0)
    average_.emplace(objective_.parameters(),
                     optim::EmaOptions{.decay = settings.weight_average, .warm_up = true});
}

std::vector<State> VaeExperiment::states() const {
  std::vector<State> all = objective_.parameters();
  for (const State& state : adam_.states()) all.push_back(state);
  if (average_) all.insert(all.end(), average_->states().begin(), average_->states().end());
  return all;
}

void VaeExperiment::with_evaluation_weights(const std::function<void()>& body) {
  if (!average_) return body();
  const optim::UseAverages averaged(*average_);
  body();
}

// The objective of step `info.step`: 1312.6114, equation 10, with KL weighted (Higgins et al.,
// 2017).
VaeExperiment::Terms VaeExperiment::terms(const StepInfo& info) {
  const data::Batch batch = data_.batch(info.step);
  const Key key = step_key(settings_).fold_in(static_cast<std::uint64_t>(info.step));
  const Tensor x = target(batch.images, binarize(), key.fold_in(0));
  const auto parts = objective_.negative_elbo(x, key.fold_in(1));
  const double warmth = settings_.kl_warmup > 0 ? static_cast<double>(info.step + 1) /
                                                      static_cast<double>(settings_.kl_warmup)
                                                : 1;
  Terms terms;
  terms.reconstruction = mean(parts.reconstruction);
  terms.kl = mean(parts.kl);
  terms.loss = terms.reconstruction + settings_.beta * std::min(warmth, 1.0) * terms.kl;
  return terms;
}

Gradients VaeExperiment::gradients(const Terms& terms) const {
  Gradients gradients = grad(terms.loss, adam_.parameters());
  if (settings_.clip > 0)
    gradients = optim::clip_by_global_norm(std::move(gradients), settings_.clip);
  return gradients;
}

NamedTensors VaeExperiment::step(const StepInfo& info) {
  const Terms now = terms(info);
  const optim::Schedule schedule =
      settings_.schedule == "cosine"
          ? optim::warm_up_cosine(settings_.lr_warmup,
                                  std::max(info.steps, settings_.lr_warmup + 1))
          : optim::linear_warm_up(std::max<std::int64_t>(settings_.lr_warmup, 1));
  adam_.scale_learning_rate(schedule(info.step));
  adam_.step(gradients(now),
             {.metrics = {now.reconstruction, now.kl}, .average = average_ ? &*average_ : nullptr});
  return {{"loss", now.loss}, {"reconstruction", now.reconstruction}, {"kl", now.kl}};
}

std::vector<Tensor> VaeExperiment::step_graph(const StepInfo& info) {
  const Terms now = terms(info);
  Gradients all = gradients(now);
  std::vector<Tensor> roots = {now.loss};
  roots.insert(roots.end(), all.values.begin(), all.values.end());
  return roots;
}

Metrics VaeExperiment::validate() {
  const BoundParts parts = negative_elbo_parts(objective_, data_.validation(), binarize());
  const double reconstruction = mean_of(parts.reconstruction);
  const double kl = mean_of(parts.kl);
  return {{"loss", reconstruction + settings_.beta * kl},
          {"reconstruction", reconstruction},
          {"kl", kl}};
}

void VaeExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  constexpr std::int64_t count = 64;
  write_grid(path, sample_images(objective_, count, settings_.train.seed, false), recipe);
}

io::Metadata VaeExperiment::description() const {
  return {{"program", "genera-vae"}, {"image", data_.extents()}};
}

std::int64_t VaeExperiment::parameter_count() const {
  return element_count(objective_.parameters());
}

std::vector<Figure> VaeExperiment::evaluate(Console& console) {
  return zoo::evaluate(objective_, data_.test(), binarize(), 0, console);
}

}  // namespace genera::zoo
