#include "zoo/vae/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/extents.h"
#include "zoo/common/failure.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/saved_states.h"
#include "zoo/vae/evaluation.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo::vae {
namespace {

const VaeSettings& consistent(const VaeSettings& settings) {
  if (settings.likelihood == "logistic" && settings.binarize != "none")
    throw UsageError(fmt::format(
        "--likelihood logistic models 256 grey levels, --binarize {} leaves two: give one of them",
        settings.binarize));
  if (settings.iwae_train > 0 && settings.model == "vqvae")
    throw UsageError("--iwae-train weighs several draws of z, of which vqvae has one only");
  if (settings.iwae_train > 0 && (settings.beta != 1 || settings.kl_warmup > 0))
    throw UsageError("--iwae-train has no KL term that --beta or --kl-warmup could weigh");
  return settings;
}

}  // namespace

VaeExperiment::VaeExperiment(const VaeSettings& settings)
    : settings_(consistent(settings)),
      data_(settings.train),
      objective_(make_objective(settings, data_.train().channels(), data_.train().height(),
                                data_.train().width(), data_.train().classes())),
      adam_(objective_.parameters(), {.lr = settings.lr}) {
  average_ = WeightAverage(objective_.parameters(), settings.weight_average);
  if (objective_.model().conditional())
    check_labels(data_.validation(), data_.train().classes(), data_.name());
}

std::vector<State> VaeExperiment::states() const {
  return joined({objective_.states(), adam_.states(), average_.states()});
}

// Of the seed's derived keys 0 initialises the model and 1 orders the data.
Key VaeExperiment::step_key(const StepInfo& info) const {
  return Key(settings_.train.seed).fold_in(2).fold_in(static_cast<std::uint64_t>(info.step));
}

// 1312.6114, equation 10, with KL weighted (Higgins et al., 2017).
VaeExperiment::Terms VaeExperiment::elbo_terms(const data::Batch& batch,
                                               const StepInfo& info) const {
  const Key key = step_key(info);
  const Tensor x = target(batch.images, binarize(), key.fold_in(0));
  auto parts = objective_.negative_elbo(x, key.fold_in(1), batch.labels);
  const double warmth = settings_.kl_warmup > 0 ? static_cast<double>(info.step + 1) /
                                                      static_cast<double>(settings_.kl_warmup)
                                                : 1;
  const Tensor reconstruction = mean(parts.reconstruction), kl = mean(parts.kl);
  Terms terms{reconstruction + settings_.beta * std::min(warmth, 1.0) * kl,
              {{"reconstruction", reconstruction}, {"kl", kl}},
              std::move(parts.updates)};
  if (parts.penalty) {
    terms.parts.emplace_back("penalty", mean(parts.penalty));
    terms.loss = terms.loss + terms.parts.back().second;
  }
  return terms;
}

// 1509.00519, equation 8.
VaeExperiment::Terms VaeExperiment::iwae_terms(const data::Batch& batch,
                                               const StepInfo& info) const {
  const Key key = step_key(info);
  const Tensor x = target(batch.images, binarize(), key.fold_in(0));
  const Tensor weights = objective_.log_weights(x, objective_.model().encode(x, batch.labels),
                                                settings_.iwae_train, key.fold_in(1));
  return {-mean(iwae_bound(weights)), {}, {}};
}

VaeExperiment::Terms VaeExperiment::terms(const StepInfo& info) {
  const data::Batch batch = data_.batch(info.step);
  return settings_.iwae_train > 0 ? iwae_terms(batch, info) : elbo_terms(batch, info);
}

Gradients VaeExperiment::gradients(const Terms& terms) const {
  Gradients gradients = grad(terms.loss, adam_.parameters());
  if (settings_.clip > 0)
    gradients = optim::clip_by_global_norm(std::move(gradients), settings_.clip);
  return gradients;
}

NamedTensors VaeExperiment::step(const StepInfo& info) {
  Terms now = terms(info);
  adam_.scale_learning_rate(rate_factor(settings_.schedule, info, settings_.lr_warmup));
  std::vector<Tensor> along = {now.loss};
  for (const auto& [name, part] : now.parts) along.push_back(part);
  adam_.step(
      gradients(now),
      {.updates = std::move(now.updates), .metrics = std::move(along), .average = average_.ema()});
  NamedTensors figures = {{"loss", now.loss}};
  figures.insert(figures.end(), now.parts.begin(), now.parts.end());
  return figures;
}

std::vector<Tensor> VaeExperiment::step_graph(const StepInfo& info) {
  return graphs_of(gradients(terms(info)));
}

Metrics VaeExperiment::validate() {
  if (settings_.iwae_train > 0) {
    Console silent(true);
    return {{"loss", -mean_of(iwae_bounds(objective_, data_.validation(), binarize(),
                                          settings_.iwae_train, silent))}};
  }
  const BoundParts parts = negative_elbo_parts(objective_, data_.validation(), binarize());
  const double reconstruction = mean_of(parts.reconstruction);
  const double kl = mean_of(parts.kl);
  return {{"loss", reconstruction + settings_.beta * kl},
          {"reconstruction", reconstruction},
          {"kl", kl}};
}

void VaeExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  constexpr std::int64_t count = 64;
  if (!objective_.model().conditional())
    return write_grid(path, sample_images(objective_, count, settings_.train.seed, false), recipe);
  const std::int64_t classes = objective_.model().shape().classes;
  const auto labels = cycled_labels(8 * classes, classes);
  write_grid(path, sample_images(objective_, 8 * classes, settings_.train.seed, false, labels),
             recipe, {.columns = classes});
}

std::string VaeExperiment::loss_label() const {
  return settings_.iwae_train > 0
             ? fmt::format("negative IWAE bound of {} draws (nats)", settings_.iwae_train)
             : "negative ELBO (nats)";
}

io::Metadata VaeExperiment::description() const {
  io::Metadata description = {{"program", "genera-vae"}, {"image", extents_text(data_.shape())}};
  if (objective_.model().conditional())
    description["classes"] = std::to_string(objective_.model().shape().classes);
  return description;
}

std::int64_t VaeExperiment::parameter_count() const {
  return element_count(objective_.parameters());
}

std::vector<std::pair<std::string, std::string>> VaeExperiment::chosen() const {
  const VaeShape& shape = objective_.model().shape();
  return {{"latent", std::to_string(shape.latent)},
          {"hidden", std::to_string(shape.hidden)},
          {"layers", std::to_string(shape.layers)}};
}

std::vector<Figure> VaeExperiment::evaluate(Console& console) {
  if (objective_.model().conditional())
    check_labels(data_.test(), data_.train().classes(), data_.name());
  return vae::evaluate(objective_, data_.test(), binarize(), 0, console);
}

}  // namespace genera::zoo::vae
