/// Data sets of images: opened by name or path, read lazily, batched reproducibly.
///
/// Every file is treated as hostile: what is missing or wrong gives a DataError that names it and
/// says what to do.
#pragma once

#include <genera/export.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace genera::data {

enum class Split { train, validation, test };
/// "train", "validation" or "test".
GENERA_API std::string_view name(Split split);

/// What a batch's images are: f32 in [0,1] (pixel / 255), or u8 as stored.
enum class Pixels { unit_f32, u8 };

/// B images. Training batches are full. The last batch of an evaluation is filled up with copies of
/// its first image.
struct Batch {
  Tensor images;                      ///< (B,C,H,W)
  Tensor labels;                      ///< i32 (B); empty where the data set has none
  Tensor weights;                     ///< f32 (B): 1, and 0 for what fills up the last batch
  std::vector<std::int64_t> indices;  ///< of the images in their split; only the `count` real ones
  std::int64_t count = 0;             ///< how many images are real
};

class Batches;
class Stream;
class ImageSource;

/// N images of one size, u8, with labels or without. A value: copies share the pixels.
class GENERA_API Images {
 public:
  /// From memory: `pixels` row-major (N,C,H,W), `labels` empty or one per image. ArgumentError when
  /// sizes disagree.
  static Images from(std::vector<std::uint8_t> pixels, const Shape& shape,
                     std::vector<std::int32_t> labels = {});

  std::int64_t size() const { return count_; }
  std::int64_t channels() const;
  std::int64_t height() const;
  std::int64_t width() const;
  bool has_labels() const;
  /// One more than the largest label that the source knows; 0 without labels.
  std::int32_t classes() const;
  /// Names of the classes where the source has any (folders of PNGs, sprites).
  std::vector<std::string> class_names() const;

  /// The pixels of the images `indices`, one after the other. ArgumentError for an index outside
  /// [0, size()) or when `pixels` has another size.
  void read(std::span<const std::int64_t> indices, std::span<std::uint8_t> pixels) const;
  /// ArgumentError without labels, or for an index outside [0, size()).
  std::int32_t label(std::int64_t index) const;

  /// The images `indices` as one batch.
  Batch batch(std::span<const std::int64_t> indices, Pixels pixels = Pixels::unit_f32) const;
  /// One epoch in the order that `epoch_key` shuffles; a last partial batch is dropped.
  /// ArgumentError when not even one batch can be filled.
  Batches batches(std::int64_t batch, const Key& epoch_key, Pixels pixels = Pixels::unit_f32) const;
  /// All images in order, for evaluation; the last batch is filled up, see Batch::weights.
  Batches batches(std::int64_t batch, Pixels pixels = Pixels::unit_f32) const;
  /// Batches without end, epoch e shuffled by key.fold_in(e).
  Stream stream(std::int64_t batch, const Key& key, Pixels pixels = Pixels::unit_f32) const;

  /// The images first … first+count-1. ArgumentError when there are not as many.
  Images subset(std::int64_t first, std::int64_t count) const;

  /// XXH3-128 of sizes, pixels and labels in hexadecimal; of generated images, of their recipe.
  std::string digest() const;

  /// All of `source`; for new kinds of data sets inside the library.
  explicit Images(std::shared_ptr<const ImageSource> source);

 private:
  std::shared_ptr<const ImageSource> source_;
  std::int64_t first_ = 0;
  std::int64_t count_ = 0;
};

/// One pass over images, for range-for. Single-pass: begin() starts over.
class GENERA_API Batches {
 public:
  class GENERA_API Iterator {
   public:
    const Batch& operator*() const { return batch_; }
    const Batch* operator->() const { return &batch_; }
    Iterator& operator++();
    friend bool operator!=(const Iterator& a, const Iterator& b) { return a.index_ != b.index_; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }

   private:
    friend class Batches;
    Iterator(const Batches* owner, std::int64_t index);
    void load();
    const Batches* owner_;
    std::int64_t index_;
    Batch batch_;
  };

  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, size()}; }
  /// Number of batches.
  std::int64_t size() const;
  /// Batch `index`, 0 <= index < size().
  Batch operator[](std::int64_t index) const;

 private:
  friend class Images;
  friend class Stream;
  Batches(Images images, std::int64_t batch, Pixels pixels, std::vector<std::int64_t> order);

  Images images_;
  std::int64_t batch_;
  Pixels pixels_;
  bool in_order_;
  std::vector<std::int64_t> order_;  // empty: in order
  Tensor ones_;
};

/// Where a stream stands: `batch` batches of `epoch` are done.
struct Position {
  std::int64_t epoch = 0;
  std::int64_t batch = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// Shuffled batches without end, which can be taken up again anywhere: the batch after position()
/// depends on nothing but that position, the key, the batch size and the images.
class GENERA_API Stream {
 public:
  Batch next();
  Position position() const { return position_; }
  /// ArgumentError for a position that does not exist.
  void seek(Position position);
  std::int64_t batches_per_epoch() const { return epoch_.size(); }

 private:
  friend class Images;
  Stream(const Images& images, std::int64_t batch, const Key& key, Pixels pixels);

  Key key_;
  Position position_;
  std::int64_t shuffled_ = 0;  // the epoch whose order epoch_ holds
  Batches epoch_;
};

// ---- Opening ----

/// Images drawn from known factors, so that there is always something to train on.
struct SpriteOptions {
  std::int64_t size = 28;      ///< height and width, at least 8
  std::int64_t train = 60000;  ///< of these the last tenth is the validation split
  std::int64_t test = 10000;
  std::uint64_t seed = 0;
};

struct OpenOptions {
  SpriteOptions sprites = {};
  /// A folder of PNGs whose pixels take more than this is refused.
  std::int64_t max_bytes = std::int64_t{4} << 30;
};

class DatasetSource;

/// A data set with its three splits, each read when it is first asked for. Where files have no
/// validation split, it is the last tenth of train; where they have no test split, that is the last
/// tenth of all.
class GENERA_API Dataset {
 public:
  /// What it was opened as, "fashion-mnist".
  const std::string& name() const;
  Images images(Split split) const;
  Images train() const { return images(Split::train); }
  Images validation() const { return images(Split::validation); }
  Images test() const { return images(Split::test); }

  /// DataError when the files of a split are missing bytes or no images, as far as that can be seen
  /// without reading them: so that a long run does not end at a damaged test set.
  void check(Split split) const;

  Dataset(std::string name, std::unique_ptr<const DatasetSource> source);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Opens a data set.
///
/// A name (no '/') is looked up as the folder $GENERA_DATA/NAME, then as Debian's
/// /usr/share/datasets/NAME, then among the generators ("sprites"), then as a folder here. A path
/// is a folder
/// - of IDX files, gzip-packed or not: train-images-idx3-ubyte, t10k-… or test-…, valid-… or
/// validation-…, and labels
///   in train-labels-idx1-ubyte and so on; or
/// - of PNGs of one size, grey or colour (alpha is dropped), whose subfolders are the classes; or
/// of folders of those
///   called train, validation (valid, val) and test.
/// DataError when nothing is there, naming what was looked for and what to install.
GENERA_API Dataset open(const std::string& name_or_path, const OpenOptions& options = {});
/// What means the same in any working directory: the absolute path of a folder or file that is found
/// from here; any other name as it is.
GENERA_API std::string absolute_name(const std::string& name_or_path);

// ---- Sprites ----

/// What a sprite shows.
struct Sprite {
  int shape = 0;       ///< 0 ellipse, 1 square, 2 triangle, 3 heart
  float scale = 1;     ///< 0.5 … 1 of the largest that fits
  float rotation = 0;  ///< radians, 0 … 2 pi
  float x = 0.5f;      ///< centre, 0 … 1 over where it may be
  float y = 0.5f;
};
inline constexpr int sprite_shapes = 4;

/// The factors of sprite `index` under a seed: independent and uniform, addressed by Philox.
GENERA_API Sprite sprite(std::uint64_t seed, std::int64_t index);
/// Draws it, white on black, anti-aliased, into size*size pixels.
GENERA_API void draw_sprite(const Sprite& sprite, std::int64_t size,
                            std::span<std::uint8_t> pixels);

}  // namespace genera::data
