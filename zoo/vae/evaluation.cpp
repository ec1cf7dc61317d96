#include "zoo/vae/evaluation.h"

#include <fmt/core.h>
#include <genera/ops.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

#include "zoo/common/log_sum_exp.h"
#include "zoo/vae/pictures.h"

namespace genera::zoo::vae {
namespace {

constexpr std::int64_t images_at_once = 100;
// Decoder outputs at once in an importance-weighted estimate: small enough for the caches, large
// enough for the GEMM.
constexpr std::int64_t draws_at_once = 1000;
// Evaluation noise has nothing to do with the training's seed.
constexpr std::uint64_t evaluation_seed = 0x5eed;

void append(std::vector<double>& to, const Tensor& values, std::int64_t count) {
  const std::vector<float> host = values.to_vector<float>();
  to.insert(to.end(), host.begin(), host.begin() + count);
}

// Bernoulli on grey targets is a cross entropy, not the likelihood of any data: say so.
std::string target_text(const VaeObjective& objective, const data::Images& images, bool binarize) {
  if (objective.likelihood() == Likelihood::logistic) return "256 levels";
  if (binarize) return "one fixed binarisation";
  std::vector<std::int64_t> first(
      static_cast<std::size_t>(std::min<std::int64_t>(images.size(), 16)));
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i);
  std::vector<std::uint8_t> pixels(
      first.size() *
      static_cast<std::size_t>(images.channels() * images.height() * images.width()));
  images.read(first, pixels);
  const bool binary = std::all_of(pixels.begin(), pixels.end(),
                                  [](std::uint8_t pixel) { return pixel == 0 || pixel == 255; });
  return binary ? "binary targets" : "Bernoulli cross entropy on grey targets";
}

}  // namespace

Tensor target(const Tensor& images, bool binarize, const Key& key) {
  return binarize ? cast(random_bernoulli(key, images), DType::f32) : images;
}

std::vector<double> BoundParts::negative_elbo() const {
  std::vector<double> result(kl.size());
  for (std::size_t i = 0; i < kl.size(); ++i) result[i] = reconstruction[i] + kl[i];
  return result;
}

BoundParts negative_elbo_parts(const VaeObjective& objective, const data::Images& images,
                               bool binarize) {
  BoundParts parts;
  const Key key(evaluation_seed);
  std::uint64_t chunk = 0;
  for (const data::Batch& batch : images.batches(images_at_once)) {
    const Key chunk_key = key.fold_in(chunk++);
    const Tensor x = target(batch.images, binarize, chunk_key.fold_in(0));
    const auto terms = objective.negative_elbo(x, chunk_key.fold_in(1), batch.labels);
    eval({terms.reconstruction, terms.kl});
    append(parts.reconstruction, terms.reconstruction, batch.count);
    append(parts.kl, terms.kl, batch.count);
  }
  return parts;
}

std::vector<double> iwae_bounds(const VaeObjective& objective, const data::Images& images,
                                bool binarize, std::int64_t samples, Console& console) {
  const std::int64_t draws = std::clamp<std::int64_t>(draws_at_once / 20, 1, samples);
  const std::int64_t batch_size = std::max<std::int64_t>(1, draws_at_once / draws);
  const auto batches = images.batches(batch_size);
  const Key key = Key(evaluation_seed).fold_in(1'000'000);
  std::vector<double> bounds;
  console.start_progress(batches.size(), 0, static_cast<double>(batch_size), "images");
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t index = 0; index < batches.size(); ++index) {
    const data::Batch batch = batches[index];
    const Key batch_key = key.fold_in(static_cast<std::uint64_t>(index));
    const Tensor x = detach(target(batch.images, binarize, batch_key.fold_in(0)));
    Encoded encoded = objective.model().encode(x, batch.labels);
    eval(encoded);
    for (Tensor& part : encoded) part = detach(part);
    std::vector<LogSumExp> sums(static_cast<std::size_t>(batch.count));
    for (std::int64_t done = 0; done < samples; done += draws) {
      // The last chunk draws as many as the others, of which some are left out: no second plan.
      const std::int64_t wanted = std::min(draws, samples - done);
      const Key draw_key = batch_key.fold_in(static_cast<std::uint64_t>(done) + 1);
      const auto weights = objective.log_weights(x, encoded, draws, draw_key).to_vector<float>();
      for (std::size_t i = 0; i < sums.size(); ++i)
        for (std::int64_t k = 0; k < wanted; ++k)
          sums[i].add(weights[i * static_cast<std::size_t>(draws) + static_cast<std::size_t>(k)]);
    }
    for (const LogSumExp& sum : sums)
      bounds.push_back(sum.value() - std::log(static_cast<double>(samples)));
    if (index == 1) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      const double all = took.count() / 2 * static_cast<double>(batches.size());
      if (all > 5) console.note(fmt::format("IWAE-{} takes about {}", samples, duration_text(all)));
    }
    console.progress(index + 1, "IWAE");
  }
  console.end_progress();
  return bounds;
}

std::vector<Figure> evaluate(const VaeObjective& objective, const data::Images& images,
                             bool binarize, std::int64_t iwae_samples, Console& console) {
  const BoundParts parts = negative_elbo_parts(objective, images, binarize);
  const std::vector<double> negative = parts.negative_elbo();
  const std::string what =
      fmt::format("{} test images, {}", images.size(), target_text(objective, images, binarize));
  const std::string one = what + ", one z each from fixed noise";
  Figure bound = mean_figure("elbo", negative, "nats", one);
  std::vector<Figure> figures;
  figures.push_back(mean_figure("negative_elbo", negative, "nats", one));
  bound.value = -bound.value;
  figures.push_back(bound);
  figures.push_back(mean_figure("reconstruction", parts.reconstruction, "nats", one));
  figures.push_back(mean_figure("kl", parts.kl, "nats", what + ", " + objective.model().kl_text()));
  if (objective.likelihood() == Likelihood::logistic) {
    const VaeShape& shape = objective.model().shape();
    const double scale =
        1 / (static_cast<double>(shape.channels * shape.height * shape.width) * std::numbers::ln2);
    std::vector<double> bits = negative;
    for (double& value : bits) value *= scale;
    figures.push_back(mean_figure("bits_per_dim", bits, "bits", one));
  }
  if (iwae_samples > 0)
    figures.push_back(
        mean_figure("iwae", iwae_bounds(objective, images, binarize, iwae_samples, console), "nats",
                    fmt::format("{}, K = {}, fixed noise", what, iwae_samples)));
  return figures;
}

Figure class_agreement(const VaeObjective& objective, const Classifier& classifier) {
  constexpr std::int64_t of_each = 100;
  const std::int64_t classes = objective.model().shape().classes;
  const std::vector<std::int32_t> asked = cycled_labels(of_each * classes, classes);
  const auto images = sample_images(objective, of_each * classes, evaluation_seed, false, asked);
  return agreement_figure(
      asked, classifier.classes(images),
      fmt::format("{} samples of each of {} classes, means of p(x|y,z), in the eyes of "
                  "the classifier {:.8}",
                  of_each, classes, classifier.digest()));
}

}  // namespace genera::zoo::vae
