#include "zoo/boltzmann/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

#include "zoo/boltzmann/evaluation.h"
#include "zoo/boltzmann/pictures.h"
#include "zoo/common/extents.h"
#include "zoo/common/failure.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/saved_states.h"

namespace genera::zoo::boltzmann {
namespace {

// The seed's derived keys: 0 initialises the model, 1 orders the data.
Key step_key(const BoltzmannSettings& settings) { return Key(settings.train.seed).fold_in(2); }
Key chain_key(const BoltzmannSettings& settings) { return Key(settings.train.seed).fold_in(3); }
Key base_key(const BoltzmannSettings& settings) { return Key(settings.train.seed).fold_in(4); }

const BoltzmannSettings& consistent(const BoltzmannSettings& settings) {
  if (settings.training == "exact" && settings.model != "visible")
    throw UsageError("--training exact enumerates all states: only --model visible has so few");
  return settings;
}

// Units of a chain whose 2^16 states take about a second.
constexpr std::int64_t quick_enumeration = 16;

}  // namespace

BoltzmannExperiment::BoltzmannExperiment(const BoltzmannSettings& settings)
    : settings_(consistent(settings)),
      data_(settings.train),
      model_(make_model(settings, data_.train().channels(), data_.train().height(),
                        data_.train().width())) {
  nn::states(model_);  // names them
  for (const auto& layer : model_.below()) add_stage(*layer);
  add_stage(model_.top());
  if (settings_.model == "dbm" && settings_.pretrain > 0)
    first_.emplace(dynamic_cast<const LayeredMachine&>(model_.top()).first());
  set_base(0);
}

void BoltzmannExperiment::add_stage(const Machine& machine) {
  const std::size_t s = stages_.size();
  std::vector<State> parameters;
  for (const State& state : nn::parameters(model_))
    if (const auto own = machine.parameters();
        std::find(own.begin(), own.end(), state) != own.end())
      parameters.push_back(state);
  nn::states(model_);  // machine.parameters() renamed them
  const std::string suffix = s > 0 ? "." + std::to_string(s) : "";
  Stage stage{&machine,
              Sampler(machine, sampler_options(settings_), "chain" + suffix,
                      chain_key(settings_).fold_in(s)),
              optim::Sgd(parameters, {.lr = learning_rate(settings_),
                                      .momentum = settings_.momentum,
                                      .weight_decay = settings_.weight_decay,
                                      .name = "sgd" + suffix}),
              std::nullopt};
  if (settings_.weight_average > 0)
    stage.average.emplace(
        parameters,
        optim::EmaOptions{.decay = settings_.weight_average, .warm_up = true, .name = "ema"});
  stages_.push_back(std::move(stage));
}

std::vector<State> BoltzmannExperiment::states() const {
  std::vector<State> all = nn::states(model_);
  const auto append = [&](const std::vector<State>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  for (const Stage& stage : stages_) {
    append(stage.sampler.states());
    append(stage.sgd.states());
    if (stage.average) append(stage.average->states());
  }
  return all;
}

void BoltzmannExperiment::with_evaluation_weights(const std::function<void()>& body) {
  std::vector<std::unique_ptr<optim::UseAverages>> averaged;
  for (Stage& stage : stages_)
    if (stage.average) averaged.push_back(std::make_unique<optim::UseAverages>(*stage.average));
  body();
}

// The stages share the steps evenly. A deep machine, which has one, shares it between its first two
// layers alone and all of them.
BoltzmannExperiment::Place BoltzmannExperiment::place(const StepInfo& info) const {
  const auto count = std::ssize(stages_);
  const std::int64_t stage =
      std::min(info.step * count / std::max<std::int64_t>(info.steps, 1), std::ssize(stages_) - 1);
  const auto first = [&](std::int64_t s) { return (s * info.steps + count - 1) / count; };
  const Place whole = {static_cast<std::size_t>(stage), info.step - first(stage),
                       first(stage + 1) - first(stage), false};
  if (!first_) return whole;
  const auto alone = std::llround(settings_.pretrain * static_cast<double>(whole.steps));
  if (whole.step < alone) return {whole.stage, whole.step, alone, true};
  return {whole.stage, whole.step - alone, whole.steps - alone, false};
}

double BoltzmannExperiment::rate(const Place& at) const {
  const double highest = at.first ? restricted_rate : learning_rate(settings_);
  return highest * rate_factor(settings_.schedule, {at.step, at.steps});
}

Tensor BoltzmannExperiment::visible_batch(std::int64_t step, std::size_t stage, const Key& key) {
  return model_.up(model_.visible(data_.batch(step).images), stage, key);
}

// Means and variances of what the stage's machine sees, over the first training images.
void BoltzmannExperiment::set_base(std::size_t stage) {
  constexpr std::int64_t at_once = 500, most = 20'000;
  const data::Images images = data_.train().subset(0, std::min(data_.train().size(), most));
  Tensor sum, squares;
  double count = 0;
  for (const data::Batch& batch : images.batches(std::min(at_once, images.size()))) {
    const Tensor v = model_.up(model_.visible(batch.images), stage,
                               base_key(settings_).fold_in(static_cast<std::uint64_t>(count)));
    const Tensor weighted = v * reshape(batch.weights, {-1, 1});
    sum = sum ? sum + genera::sum(weighted, {0}) : genera::sum(weighted, {0});
    squares = squares ? squares + genera::sum(weighted * v, {0}) : genera::sum(weighted * v, {0});
    eval({sum, squares});
    count += static_cast<double>(batch.count);
  }
  const Tensor mean = sum / count;
  stages_[stage].machine->set_base(detach(mean), detach(squares / count - square(mean)));
}

// -log p(v) with Z summed over all states.
Tensor BoltzmannExperiment::exact_loss(const Tensor& v) const {
  const Machine& machine = model_.top();
  const Tensor states = all_states(machine.visible_size());
  return mean(machine.energy({v})) + logsumexp(-machine.energy({states}));
}

BoltzmannExperiment::Terms BoltzmannExperiment::terms(const StepInfo& info) {
  const Place at = place(info);
  Stage& stage = stages_[at.stage];
  if (at.step == 0 && at.stage > 0) set_base(at.stage);
  const Key key = step_key(settings_).fold_in(static_cast<std::uint64_t>(info.step));
  const Tensor v = visible_batch(info.step, at.stage, key.fold_in(0));
  Terms result;
  if (settings_.training == "exact") {
    result.gradients = grad(exact_loss(v), stage.sgd.parameters());
    return result;
  }
  const Machine& machine = at.first ? *first_ : *stage.machine;
  const Units data = machine.infer(v, static_cast<int>(settings_.mean_field));
  const Units model =
      stage.sampler.statistics(machine, data, info.step, key.fold_in(1), result.updates);
  result.gradients = grad(contrast(machine, data, model), stage.sgd.parameters());
  if (settings_.gradient == "centred")
    result.gradients.values =
        machine.centred(stage.sgd.parameters(), std::move(result.gradients.values), data, model);
  return result;
}

NamedTensors BoltzmannExperiment::step(const StepInfo& info) {
  const Place at = place(info);
  Stage& stage = stages_[at.stage];
  Terms now = terms(info);
  stage.sgd.set_learning_rate(rate(at));
  const Tensor loss = now.gradients.loss;
  stage.sgd.step(std::move(now.gradients), {.updates = std::move(now.updates),
                                            .average = stage.average ? &*stage.average : nullptr});
  return {{"energy_gap", loss}};
}

std::vector<Tensor> BoltzmannExperiment::step_graph(const StepInfo& info) {
  Terms now = terms(info);
  std::vector<Tensor> roots = graphs_of(std::move(now.gradients));
  for (const Update& update : now.updates) roots.push_back(update.value);
  return roots;
}

// A smoke run is about the path, not about the figure.
AisOptions BoltzmannExperiment::annealing(std::int64_t betas) const {
  return {.betas = settings_.train.smoke ? std::min<std::int64_t>(betas, 50) : betas};
}

// A short ladder can miss modes, and then flatters: only with the exact log Z is the figure a loss
// that chooses the best weights. Else the last ones are the result.
Metrics BoltzmannExperiment::validate() {
  Console silent(true);
  const std::optional<double> exact = exact_log_z(model_.top(), quick_enumeration);
  const LogZ log_z =
      exact ? LogZ{*exact, *exact, *exact, 0}
            : annealed_log_z(model_.top(), annealing(settings_.validation_betas), silent);
  const double mean = mean_of(bounds(model_, data_.validation()));
  if (exact) return {{"loss", log_z.value - mean}, {"log_z", log_z.value}};
  return {{"negative_log_likelihood", log_z.value - mean},
          {"log_z", log_z.value},
          {"log_z_error", (log_z.high - log_z.value) / 3},
          {"effective_runs", log_z.effective_runs}};
}

void BoltzmannExperiment::write_samples(const std::filesystem::path& path,
                                        const std::string& recipe) {
  constexpr std::int64_t count = 64;
  write_grid(path,
             sample_images(model_, {.count = count,
                                    .seed = settings_.train.seed,
                                    .annealing = annealing(200).betas,
                                    .sweeps = 10}),
             recipe);
}

io::Metadata BoltzmannExperiment::description() const {
  return {{"program", "genera-boltzmann"}, {"image", extents_text(data_.shape())}};
}

std::int64_t BoltzmannExperiment::parameter_count() const {
  return element_count(nn::parameters(model_));
}

std::vector<std::pair<std::string, std::string>> BoltzmannExperiment::chosen() const {
  std::vector<std::pair<std::string, std::string>> all = {
      {"shrink", std::to_string(model_.shape().shrink)},
      {"lr", fmt::format("{}", learning_rate(settings_))}};
  if (const std::string hidden = hidden_text(settings_); !hidden.empty())
    all.emplace_back("hidden", hidden);
  return all;
}

std::vector<Figure> BoltzmannExperiment::evaluate(Console& console) {
  return boltzmann::evaluate(model_, data_.test(), annealing(settings_.betas), console);
}

}  // namespace genera::zoo::boltzmann
