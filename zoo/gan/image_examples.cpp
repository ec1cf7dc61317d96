// Images against images: in the feature space of a classifier, or without labels of pooled pixels.

#include <fmt/core.h>
#include <genera/data.h>
#include <genera/error.h>
#include <genera/functions.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>

#include "zoo/common/classifier.h"
#include "zoo/common/dataset.h"
#include "zoo/common/host_copy.h"
#include "zoo/common/image_data.h"
#include "zoo/common/sample_files.h"
#include "zoo/common/sample_quality.h"
#include "zoo/gan/examples.h"

namespace genera::zoo::gan {
namespace {

constexpr std::int64_t least_measured = 20;  // less say nothing of a distribution
constexpr std::int64_t most_validated = 5000, most_evaluated = 10'000;
// A class counts as present when samples of it are a tenth as frequent as in balanced data.
constexpr double present = 0.1;

io::HostArray first_images(const data::Images& images, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return on_host(images.batch(indices).images);
}

class ImageExamples : public Examples {
 public:
  explicit ImageExamples(const TrainFlags& flags) : data_(flags) {}

  Shape example() const override { return data_.shape(); }
  std::int64_t classes() const override {
    return data_.train().has_labels() ? data_.train().classes() : 0;
  }
  std::string name() const override { return data_.name(); }
  std::string digest() const override { return data_.digest(); }
  std::int64_t batches_per_epoch() const override { return data_.steps_per_epoch(); }
  RealBatch batch(std::int64_t index) override {
    const data::Batch batch = data_.batch(index);
    return {batch.images * 2.0 - 1.0, batch.labels};
  }
  void prepare(Console& console) override;
  std::string loss_label() const override { return "Fréchet distance to the validation images"; }
  Metrics validate(const Sampler& sampler) override;
  std::vector<Figure> evaluate(const Sampler& sampler, Console& console) override;
  std::vector<Reference> references(const std::vector<std::string>& others,
                                    Console& console) override;

 private:
  // The classifier, opened when it is first asked for; nullptr without labels.
  const Classifier* classifier(Console& console);
  Features features(const io::ArrayView& images, Console& console);
  const Features& test_features(Console& console);
  std::vector<Figure> figures(const Samples& samples, Console& console);
  Samples unlabelled(io::HostArray images) const { return {std::move(images), {}}; }

  ImageData data_;
  std::optional<Classifier> classifier_;
  std::optional<Moments> validation_;
  std::int64_t validation_count_ = 0;
  std::optional<Features> test_;
};

void ImageExamples::prepare(Console& console) {
  if (const std::int64_t count = data_.test().size(); count < least_measured)
    throw DataError(fmt::format(
        "{} has {} test images, and samples cannot be measured against less than {}: "
        "add some (where there are none apart, the last tenth of all are the test images)",
        name(), count, least_measured));
  classifier(console);
}

const Classifier* ImageExamples::classifier(Console& console) {
  if (classes() == 0) return nullptr;
  if (!classifier_) classifier_ = open_classifier(data_.dataset(), console);
  return &*classifier_;
}

Features ImageExamples::features(const io::ArrayView& images, Console& console) {
  const Shape wanted = example();
  if (images.shape.rank() != 4 || images.shape[1] != wanted[0] || images.shape[2] != wanted[1] ||
      images.shape[3] != wanted[2])
    throw DataError(fmt::format("images of shape {} cannot be compared with those of {}, {}",
                                to_string(images.shape), name(), to_string(wanted)));
  if (const Classifier* known = classifier(console)) return known->features_of(images);
  constexpr std::int64_t most_cells = 8;
  const std::int64_t cell =
      std::max<std::int64_t>(1, (std::max(wanted[1], wanted[2]) + most_cells - 1) / most_cells);
  const Tensor pixels = Tensor::from(images.as<float>(), images.shape);
  const Tensor pooled = flatten(avg_pool(pixels, {cell}), 1);
  return {pooled.size(0), pooled.size(1), pooled.to_vector<float>()};
}

Metrics ImageExamples::validate(const Sampler& sampler) {
  Console console(true);
  if (!validation_) {
    const data::Images images = data_.validation();
    validation_count_ = std::min(images.size(), most_validated);
    if (validation_count_ < least_measured) return {};  // the last weights are the result
    validation_ = moments(features(first_images(images, validation_count_), console));
  }
  const Samples samples = sampler(validation_count_, validation_seed);
  return {{"loss", frechet_distance(*validation_, moments(features(samples.values, console)))}};
}

const Features& ImageExamples::test_features(Console& console) {
  if (!test_) {
    const data::Images images = data_.test();
    test_ = features(first_images(images, std::min(images.size(), most_evaluated)), console);
  }
  return *test_;
}

std::vector<Figure> ImageExamples::figures(const Samples& samples, Console& console) {
  const Features& real = test_features(console);
  const Features generated = features(samples.values, console);
  if (std::min(real.count, generated.count) < least_measured)
    throw DataError(
        fmt::format("{} samples cannot be measured against {} test images: at least {} "
                    "of each are needed",
                    generated.count, real.count, least_measured));
  const Classifier* known = classifier(console);
  const std::string protocol =
      fmt::format("{} samples against {} test images, features of {}", generated.count, real.count,
                  known != nullptr ? "classifier " + known->digest() : "pooled pixels");
  std::vector<Figure> all = {frechet_figure(real, generated, protocol)};
  for (Figure& figure : neighbour_figures(real, generated, protocol))
    all.push_back(std::move(figure));
  if (known == nullptr) return all;
  const auto classes = known->classes(samples.values);
  std::vector<double> shares(static_cast<std::size_t>(known->classes()));
  for (std::int32_t label : classes)
    shares[static_cast<std::size_t>(label)] += 1 / static_cast<double>(classes.size());
  const double least = present / static_cast<double>(shares.size());
  all.push_back(
      {"classes",
       static_cast<double>(std::count_if(shares.begin(), shares.end(),
                                         [&](double share) { return share >= least; })),
       0, fmt::format("of {}", shares.size()),
       fmt::format("to which the classifier gives at least {:g} % of the samples", 100 * least)});
  if (!samples.labels.empty())
    all.push_back(agreement_figure(samples.labels, classes,
                                   "share that the classifier gives the class that was asked for"));
  return all;
}

std::vector<Figure> ImageExamples::evaluate(const Sampler& sampler, Console& console) {
  return figures(sampler(test_features(console).count, test_seed), console);
}

std::vector<Reference> ImageExamples::references(const std::vector<std::string>& others,
                                                 Console& console) {
  const std::int64_t count = test_features(console).count;
  std::vector<Reference> all;
  all.emplace_back(
      "train",
      figures(unlabelled(first_images(data_.train(), std::min(count, data_.train().size()))),
              console));
  for (const std::string& other : others)
    all.emplace_back(std::filesystem::path(plain_name(other)).stem().string(),
                     figures(unlabelled(import_images(other)), console));
  const Tensor noise =
      random_uniform(Key(test_seed), {count, example()[0], example()[1], example()[2]});
  all.emplace_back("noise", figures(unlabelled(on_host(noise)), console));
  return all;
}

}  // namespace

std::unique_ptr<Examples> make_image_examples(const TrainFlags& flags) {
  return std::make_unique<ImageExamples>(flags);
}

}  // namespace genera::zoo::gan
