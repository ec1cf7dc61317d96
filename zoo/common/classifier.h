/// A small convolutional classifier of a labelled data set, in whose feature space images are
/// compared, and which says what a generated image shows. It is trained once on the data set and
/// kept; two figures can be compared only when their classifiers' digests are equal.
///
/// Letters: B batch; N images; C, H, W channels, height and width; D features; K classes.
#pragma once

#include <genera/data.h>
#include <genera/io.h>
#include <genera/nn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "zoo/common/console.h"
#include "zoo/common/features.h"
#include "zoo/common/summary.h"

namespace genera::zoo {

class Classifier {
 public:
  /// Untrained, for images (channels,height,width) of at least 4 x 4 pixels. ArgumentError for
  /// smaller ones.
  Classifier(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t classes,
             const Key& key);

  /// images (B,C,H,W) in [0,1] -> (B,D): the last hidden layer.
  Tensor features(const Tensor& images) const;
  /// images (B,C,H,W) in [0,1] -> (B,K).
  Tensor logits(const Tensor& images) const;
  /// The most probable class of each of the images (N,C,H,W), f32 in [0,1].
  std::vector<std::int32_t> classes(const io::ArrayView& images) const;
  /// The features of the images (N,C,H,W), f32 in [0,1], and of a data set's.
  Features features_of(const io::ArrayView& images) const;
  Features features_of(const data::Images& images) const;
  /// The share of the images that are given their label.
  double accuracy(const data::Images& images) const;

  /// XXH3-128 of all weights, in hexadecimal.
  std::string digest() const;
  std::vector<State> states() const { return nn::states(body_, head_); }
  std::int64_t channels() const { return channels_; }
  std::int64_t height() const { return height_; }
  std::int64_t width() const { return width_; }
  std::int64_t classes() const { return classes_; }

  /// Trains on `images` from a fixed seed: the same bits at every call. UsageError without labels
  /// or when there are fewer images than a batch.
  static Classifier trained_on(const data::Images& images, Console& console);

 private:
  std::int64_t channels_, height_, width_, classes_;
  nn::Sequential body_;
  nn::Linear head_;
};

/// The classifier of the data set's training images: the one that was stored for this data before,
/// else a new one, which is stored. It lies in $XDG_CACHE_HOME/genera (else ~/.cache/genera) under
/// the digest of the data; a folder that cannot be written to is only warned of. Says its accuracy
/// on the test images and its digest. UsageError when the data has no labels.
Classifier open_classifier(const data::Dataset& dataset, Console& console);

/// "class_agreement": of samples of a conditional model the share that a classifier takes for the
/// class that was asked for. `asked` and `found` hold a class per sample.
Figure agreement_figure(const std::vector<std::int32_t>& asked,
                        const std::vector<std::int32_t>& found, const std::string& protocol);

}  // namespace genera::zoo
