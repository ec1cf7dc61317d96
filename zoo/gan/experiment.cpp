#include "zoo/gan/experiment.h"

#include <fmt/core.h>
#include <genera/functions.h>

#include <algorithm>

#include "zoo/common/extents.h"
#include "zoo/common/learning_rate.h"
#include "zoo/common/saved_states.h"

namespace genera::zoo::gan {
namespace {

// Labels drawn evenly: i32 (B); empty without classes.
Tensor random_labels(const Key& key, std::int64_t count, std::int64_t classes) {
  if (classes == 0) return {};
  return cast(floor(random_uniform(key, {count}) * static_cast<double>(classes)), DType::i32);
}

}  // namespace

GanExperiment::GanExperiment(const GanSettings& settings)
    : settings_(settings),
      examples_(open_examples(settings)),
      recipe_(make_recipe(settings, examples_->example())),
      gan_(make_gan(settings, examples_->example(), examples_->classes())),
      critic_adam_(nn::parameters(gan_.discriminator), {.lr = recipe_.critic_lr,
                                                        .beta1 = recipe_.beta1,
                                                        .beta2 = recipe_.beta2,
                                                        .name = "critic_adam"}),
      generator_adam_(nn::parameters(gan_.generator), {.lr = recipe_.lr,
                                                       .beta1 = recipe_.beta1,
                                                       .beta2 = recipe_.beta2,
                                                       .name = "generator_adam"}) {
  average_ = WeightAverage(nn::parameters(gan_.generator), settings.weight_average);
}

std::vector<State> GanExperiment::states() const {
  return joined(
      {model_states(), critic_adam_.states(), generator_adam_.states(), average_.states()});
}

Key GanExperiment::step_key(std::int64_t step) const {
  return Key(settings_.train.seed).fold_in(2).fold_in(static_cast<std::uint64_t>(step));
}

GanExperiment::CriticTerms GanExperiment::critic_terms(std::int64_t step, std::int64_t round) {
  const Key key = step_key(step).fold_in(static_cast<std::uint64_t>(round) + 1);
  RealBatch real = examples_->batch(step * recipe_.critic_steps + round);
  const GanShape& shape = gan_.generator.shape();
  // Without classes the labels are not looked at. With them both halves have the same ones.
  const Tensor labels = shape.classes > 0 ? real.labels : Tensor();
  const Tensor z = random_normal(key.fold_in(0), {settings_.train.batch, shape.latent});
  // The generator is trained in its own step: nothing that this one declares is kept.
  Context of_generator = Context::training(key.fold_in(1));
  const Tensor made = stop_gradient(gan_.generator.generate(z, labels, of_generator));
  // Batch normalisation sees real and generated examples apart; the running statistics, which
  // nothing uses, and the power iteration's vectors follow the real ones.
  Context of_real = Context::training(key.fold_in(2)), of_made = Context::training(key.fold_in(3));
  CriticTerms terms;
  terms.loss = discriminator_loss(recipe_.loss, gan_.discriminator.score(real.x, labels, of_real),
                                  gan_.discriminator.score(made, labels, of_made));
  if (recipe_.penalised) {
    const Critic critic = [&](const Tensor& x) {
      Context context = Context::training(key.fold_in(4));
      return gan_.discriminator.score(x, labels, context);
    };
    terms.penalty = gradient_penalty(critic, real.x, made, key.fold_in(5));
    terms.loss = terms.loss + settings_.penalty * terms.penalty;
  }
  terms.updates = of_real.take_updates();
  return terms;
}

GanExperiment::GeneratorTerms GanExperiment::generator_terms(std::int64_t step) const {
  const Key key = step_key(step).fold_in(0);
  const GanShape& shape = gan_.generator.shape();
  const std::int64_t batch = settings_.train.batch;
  const Tensor labels = random_labels(key.fold_in(1), batch, shape.classes);
  const Tensor z = random_normal(key.fold_in(0), {batch, shape.latent});
  Context context = Context::training(key.fold_in(2)),
          of_critic = Context::training(key.fold_in(3));
  const Tensor made = gan_.generator.generate(z, labels, context);
  GeneratorTerms terms;
  terms.loss = generator_loss(recipe_.loss, gan_.discriminator.score(made, labels, of_critic));
  terms.updates = context.take_updates();
  return terms;
}

NamedTensors GanExperiment::step(const StepInfo& info) {
  const double rate = rate_factor(settings_.schedule, info);
  critic_adam_.scale_learning_rate(rate);
  generator_adam_.scale_learning_rate(rate);
  NamedTensors figures;
  for (std::int64_t round = 0; round < recipe_.critic_steps; ++round) {
    CriticTerms terms = critic_terms(info.step, round);
    std::vector<Tensor> metrics;
    figures = {{"discriminator", terms.loss}};
    if (terms.penalty) {
      figures.emplace_back("penalty", terms.penalty);
      metrics.push_back(terms.penalty);
    }
    critic_adam_.step(grad(terms.loss, critic_adam_.parameters()),
                      {.updates = std::move(terms.updates), .metrics = std::move(metrics)});
  }
  GeneratorTerms terms = generator_terms(info.step);
  generator_adam_.step(
      grad(terms.loss, generator_adam_.parameters()),
      {.updates = std::move(terms.updates), .metrics = {}, .average = average_.ema()});
  figures.emplace_back("generator", terms.loss);
  return figures;
}

std::vector<Tensor> GanExperiment::step_graph(const StepInfo& info) {
  std::vector<Tensor> roots;
  const auto add = [&](const Tensor& loss, const std::vector<State>& parameters) {
    const std::vector<Tensor> graphs = graphs_of(grad(loss, parameters));
    roots.insert(roots.end(), graphs.begin(), graphs.end());
  };
  for (std::int64_t round = 0; round < recipe_.critic_steps; ++round)
    add(critic_terms(info.step, round).loss, critic_adam_.parameters());
  add(generator_terms(info.step).loss, generator_adam_.parameters());
  return roots;
}

Sampler GanExperiment::sampler() const {
  return [this](std::int64_t count, std::uint64_t seed) {
    return draw_samples(gan_.generator, {.count = count, .seed = seed});
  };
}

void GanExperiment::write_samples(const std::filesystem::path& path, const std::string& recipe) {
  const std::int64_t classes = gan_.generator.shape().classes;
  // Of a conditional model one column per class.
  const bool by_class = classes > 0 && classes <= 16;
  const std::int64_t count = examples_->example().rank() == 1 ? 2500 : by_class ? 8 * classes : 64;
  write_samples_picture(path, sampler()(count, settings_.train.seed), by_class ? classes : 0,
                        recipe);
}

io::Metadata GanExperiment::description() const {
  const Shape shape = examples_->example();
  io::Metadata all = {{"program", "genera-gan"},
                      {shape.rank() == 1 ? "points" : "image", extents_text(shape)}};
  if (gan_.generator.shape().classes > 0)
    all["classes"] = std::to_string(gan_.generator.shape().classes);
  return all;
}

std::int64_t GanExperiment::steps_per_epoch() const {
  return std::max<std::int64_t>(1, examples_->batches_per_epoch() / recipe_.critic_steps);
}

std::vector<std::pair<std::string, std::string>> GanExperiment::chosen() const {
  const GanShape& shape = gan_.generator.shape();
  return {{"network", recipe_.convolutions ? "conv" : "mlp"},
          {"latent", std::to_string(shape.latent)},
          {"width", std::to_string(shape.width)},
          {"lr", fmt::format("{}", recipe_.lr)},
          {"critic-lr", fmt::format("{}", recipe_.critic_lr)},
          {"critic-steps", std::to_string(recipe_.critic_steps)}};
}

std::int64_t GanExperiment::parameter_count() const {
  return element_count(nn::parameters(gan_.generator, gan_.discriminator));
}

}  // namespace genera::zoo::gan
