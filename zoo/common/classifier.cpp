#include "zoo/common/classifier.h"

#include <fmt/core.h>
#include <genera/checkpoint.h>
#include <genera/ops.h>
#include <genera/optim.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "zoo/common/failure.h"
#include "zoo/common/saved_states.h"

namespace genera::zoo {
namespace {

// What the training consists of. Another value makes another classifier: raise the recipe's number
// then, so that stored ones are not taken for it.
constexpr int recipe = 1;
constexpr std::uint64_t seed = 0xc1a55;
constexpr std::int64_t batch = 128;
constexpr std::int64_t epochs = 6;
constexpr std::int64_t least_steps = 40;  // of a few generated images an epoch is short
constexpr double learning_rate = 2e-3;
constexpr std::int64_t feature_count = 64;
constexpr std::int64_t images_at_once = 250;
constexpr std::int64_t least_side = 4;

nn::Sequential make_body(std::int64_t channels, std::int64_t height, std::int64_t width,
                         const Key& key) {
  const auto conv = [&](std::int64_t in, std::int64_t out, std::uint64_t layer) {
    return nn::Conv2d(in, out, 3, key.fold_in(layer), {.padding = 1, .bias = false});
  };
  const std::int64_t pooled = 64 * (height / 4) * (width / 4);
  return nn::Sequential(conv(channels, 32, 0), nn::MaxPool2d(2), nn::BatchNorm(32), nn::Relu{},
                        conv(32, 64, 1), nn::MaxPool2d(2), nn::BatchNorm(64), nn::Relu{},
                        nn::Flatten{}, nn::Dropout(0.3),
                        nn::Linear(pooled, feature_count, key.fold_in(2)), nn::Relu{});
}

std::filesystem::path cache_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::filesystem::path(cache) / "genera";
  const char* home = std::getenv("HOME");
  const auto base = home != nullptr && *home != '\0' ? std::filesystem::path(home)
                                                     : std::filesystem::temp_directory_path();
  return base / ".cache" / "genera";
}

// Calls `each(images (B,C,H,W), real)` for all images of an array, in batches of one size, of which
// only the first `real` are there.
template <class Each>
void for_batches(const io::ArrayView& images, const Each& each) {
  const auto pixels = images.as<float>();
  const std::int64_t count = images.shape[0];
  const std::int64_t size = count > 0 ? std::ssize(pixels) / count : 0;
  const std::int64_t at_once = std::min(images_at_once, count);
  const Shape shape{at_once, images.shape[1], images.shape[2], images.shape[3]};
  std::vector<float> chunk(static_cast<std::size_t>(at_once * size));
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t real = std::min(at_once, count - first);
    std::copy_n(pixels.begin() + first * size, real * size, chunk.begin());
    each(Tensor::from(chunk, shape), real);
  }
}

void append_rows(Features& features, const Tensor& rows, std::int64_t real) {
  const std::vector<float> host = rows.to_vector<float>();
  features.size = rows.size(1);
  features.count += real;
  features.values.insert(features.values.end(), host.begin(), host.begin() + real * features.size);
}

}  // namespace

Classifier::Classifier(std::int64_t channels, std::int64_t height, std::int64_t width,
                       std::int64_t classes, const Key& key)
    : channels_(channels),
      height_(height),
      width_(width),
      classes_(classes),
      body_(nn::named("body", make_body(channels, height, width, key))),
      head_(nn::named("head", nn::Linear(feature_count, classes, key.fold_in(3)))) {}

Tensor Classifier::features(const Tensor& images) const { return body_(images); }

Tensor Classifier::logits(const Tensor& images) const { return head_(body_(images)); }

std::vector<std::int32_t> Classifier::classes(const io::ArrayView& images) const {
  std::vector<std::int32_t> all;
  for_batches(images, [&](const Tensor& some, std::int64_t real) {
    const auto host = argmax(logits(some), 1).to_vector<std::int32_t>();
    all.insert(all.end(), host.begin(), host.begin() + real);
  });
  return all;
}

Features Classifier::features_of(const io::ArrayView& images) const {
  Features all;
  for_batches(images, [&](const Tensor& some, std::int64_t real) {
    append_rows(all, features(some), real);
  });
  return all;
}

Features Classifier::features_of(const data::Images& images) const {
  Features all;
  for (const data::Batch& some : images.batches(images_at_once))
    append_rows(all, features(some.images), some.count);
  return all;
}

double Classifier::accuracy(const data::Images& images) const {
  double right = 0;
  for (const data::Batch& some : images.batches(images_at_once))
    right +=
        sum(cast(equal(argmax(logits(some.images), 1), some.labels), DType::f32) * some.weights)
            .item<double>();
  return right / static_cast<double>(images.size());
}

std::string Classifier::digest() const {
  std::vector<std::byte> all;
  for (const io::NamedArray& entry : snapshot(states()))
    all.insert(all.end(), entry.array.bytes.begin(), entry.array.bytes.end());
  const XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

Classifier Classifier::trained_on(const data::Images& images, Console& console) {
  if (!images.has_labels())
    throw UsageError("the classifier whose features are compared needs labels; this data has none");
  if (images.height() < least_side || images.width() < least_side)
    throw UsageError(
        fmt::format("the classifier halves images twice: {}x{} are too small, it wants {}x{}",
                    images.height(), images.width(), least_side, least_side));
  if (images.size() < batch)
    throw UsageError(fmt::format("the classifier needs {} training images, this data has {}", batch,
                                 images.size()));
  const Key key(seed);
  Classifier classifier(images.channels(), images.height(), images.width(), images.classes(),
                        key.fold_in(0));
  optim::Adam adam(nn::parameters(classifier.body_, classifier.head_), {.lr = learning_rate});
  data::Stream stream = images.stream(batch, key.fold_in(1));
  const std::int64_t steps = std::max(least_steps, epochs * stream.batches_per_epoch());
  const optim::Schedule schedule =
      optim::warm_up_cosine(std::min<std::int64_t>(100, steps / 4), steps);
  console.start_progress(steps, 0, batch, "images");
  for (std::int64_t step = 0; step < steps; ++step) {
    const data::Batch some = stream.next();
    Context context = Context::training(key.fold_in(2).fold_in(static_cast<std::uint64_t>(step)));
    const Tensor logits = classifier.head_(classifier.body_(some.images, context), context);
    const Tensor loss = cross_entropy(logits, some.labels);
    adam.scale_learning_rate(schedule(step));
    adam.step(grad(loss, adam.parameters()), {.updates = context.take_updates()});
    if (console.progress_due())
      console.progress(step + 1, fmt::format("classifier, loss {:.3f}", loss.item<double>()));
  }
  console.end_progress();
  return classifier;
}

Classifier open_classifier(const data::Dataset& dataset, Console& console) {
  const data::Images train = dataset.train();
  if (train.has_labels() && !dataset.test().has_labels())
    throw DataError(
        fmt::format("{}: the training images have labels and the test images none: "
                    "the classifier is tried on those; add theirs",
                    dataset.name()));
  const auto file =
      cache_folder() / fmt::format("classifier-{}-{}.safetensors", recipe, train.digest());
  const auto introduce = [&](const Classifier& classifier) {
    console.note(fmt::format("classifier {}: {:.2f} % of the test images right",
                             classifier.digest(), 100 * classifier.accuracy(dataset.test())));
  };
  if (std::error_code ignored; std::filesystem::exists(file, ignored)) {
    try {
      Classifier stored(train.channels(), train.height(), train.width(), train.classes(), Key(0));
      load_checkpoint(file, stored.states());
      introduce(stored);
      return stored;
    } catch (const DataError& error) {
      console.warn(fmt::format("{}; it is made anew", error.what()));
    }
  }
  console.note(fmt::format("training the classifier of {}, once", dataset.name()));
  Classifier classifier = Classifier::trained_on(train, console);
  try {
    std::filesystem::create_directories(file.parent_path());
    save_checkpoint(file, classifier.states(), {{"data", train.digest()}});
  } catch (const std::exception& error) {
    console.warn(fmt::format("the classifier is not kept: {}", error.what()));
  }
  introduce(classifier);
  return classifier;
}

Figure agreement_figure(const std::vector<std::int32_t>& asked,
                        const std::vector<std::int32_t>& found, const std::string& protocol) {
  std::vector<double> agrees;
  for (std::size_t i = 0; i < asked.size(); ++i) agrees.push_back(asked[i] == found[i] ? 1 : 0);
  return mean_figure("class_agreement", agrees, "", protocol);
}

}  // namespace genera::zoo
