#include <doctest/doctest.h>
#include <genera/data.h>
#include <genera/error.h>
#include <genera/io.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"

namespace genera {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

using test::TemporaryFolder;

/// An environment variable for one scope.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value.c_str(), 1);
  }
  ~Environment() { setenv(name_, before_.c_str(), 1); }

 private:
  const char* name_;
  std::string before_;
};

std::string data_error(const std::function<void()>& call) {
  try {
    call();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void write_file(const fs::path& path, const Bytes& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

Bytes idx(const std::vector<std::uint32_t>& extents, const Bytes& values) {
  Bytes file{0, 0, 8, static_cast<std::uint8_t>(extents.size())};
  for (const std::uint32_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8)
      file.push_back(static_cast<std::uint8_t>(extent >> shift));
  file.insert(file.end(), values.begin(), values.end());
  return file;
}

/// `count` images of 2x3 pixels, all pixels of image i being `first` + i.
Bytes idx_images(std::uint32_t count, std::uint8_t first = 0) {
  Bytes values;
  for (std::uint32_t i = 0; i < count; ++i)
    values.insert(values.end(), 6, static_cast<std::uint8_t>(first + i));
  return idx({count, 2, 3}, values);
}

Bytes counting(std::uint32_t count) {
  Bytes values(count);
  std::iota(values.begin(), values.end(), std::uint8_t{0});
  return values;
}

std::uint8_t first_pixel(const data::Images& images, std::int64_t index) {
  Bytes pixels(static_cast<std::size_t>(images.channels() * images.height() * images.width()));
  images.read(std::span(&index, 1), pixels);
  return pixels[0];
}

data::Images hundred(std::int64_t count = 100) {
  Bytes pixels;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), 4, static_cast<std::uint8_t>(i));
    labels.push_back(static_cast<std::int32_t>(i % 10));
  }
  return data::Images::from(std::move(pixels), Shape{count, 1, 2, 2}, std::move(labels));
}

TEST_CASE("images from memory") {
  const data::Images images = hundred();
  CHECK(images.size() == 100);
  CHECK(images.classes() == 10);
  CHECK(images.label(13) == 3);
  const std::vector<std::int64_t> indices{51, 0, 51};
  const data::Batch batch = images.batch(indices);
  CHECK(batch.images.shape() == Shape{3, 1, 2, 2});
  CHECK(batch.images.to_vector<float>()[0] == 51.0f / 255.0f);
  CHECK(batch.labels.to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0, 1});
  CHECK(images.batch(indices, data::Pixels::u8).images.to_vector<std::uint8_t>()[8] == 51);
  CHECK_THROWS_AS(images.batch(std::vector<std::int64_t>{100}), ArgumentError);
  CHECK_THROWS_AS(images.label(-1), ArgumentError);
  CHECK_THROWS_AS(images.subset(90, 11), ArgumentError);
  CHECK(images.subset(90, 10).label(0) == 0);
  CHECK(first_pixel(images.subset(90, 10), 3) == 93);
  CHECK_THROWS_AS(data::Images::from(Bytes(5), Shape{1, 1, 2, 2}), ArgumentError);
  CHECK_THROWS_AS(data::Images::from(Bytes(4), Shape{1, 1, 2, 2}, {1, 2}), ArgumentError);
  CHECK_THROWS_AS(data::Images::from(Bytes(4), Shape{1, 1, 2, 2}, {-1}), ArgumentError);
}

TEST_CASE("digests tell content, order, sizes and labels apart") {
  const data::Images images = hundred();
  CHECK(images.digest().size() == 32);
  CHECK(images.digest() == hundred().digest());
  std::set<std::string> digests{images.digest(),
                                images.subset(0, 99).digest(),
                                images.subset(1, 99).digest(),
                                hundred(99).digest(),
                                data::Images::from(Bytes(4), Shape{1, 1, 2, 2}).digest(),
                                data::Images::from(Bytes(4), Shape{1, 1, 1, 4}).digest(),
                                data::Images::from(Bytes(4), Shape{1, 1, 2, 2}, {0}).digest()};
  CHECK(digests.size() == 6);  // the first 99 of 100 are the 99
}

TEST_CASE("training batches: every image at most once, reproducible, the rest dropped") {
  const data::Images images = hundred();
  const auto order = [&](const Key& key) {
    std::vector<std::int64_t> all;
    for (const data::Batch& batch : images.batches(32, key)) {
      CHECK(batch.count == 32);
      CHECK(batch.images.shape() == Shape{32, 1, 2, 2});
      CHECK(batch.weights.to_vector<float>() == std::vector<float>(32, 1.0f));
      CHECK(batch.labels.to_vector<std::int32_t>()[5] == batch.indices[5] % 10);
      all.insert(all.end(), batch.indices.begin(), batch.indices.end());
    }
    return all;
  };
  const auto first = order(Key(1));
  CHECK(first.size() == 96);
  CHECK(std::set(first.begin(), first.end()).size() == 96);
  CHECK(order(Key(1)) == first);
  CHECK(order(Key(2)) != first);
  CHECK(!std::is_sorted(first.begin(), first.end()));
  CHECK_THROWS_WITH_AS(images.batches(101, Key(0)),
                       "[batches] 100 images do not fill a batch of 101", ArgumentError);
  CHECK_THROWS_AS(images.batches(0), ArgumentError);
}

TEST_CASE("evaluation batches: all images in order, the last filled up and weighted") {
  const data::Images images = hundred();
  const data::Batches batches = images.batches(32);
  CHECK(batches.size() == 4);
  std::int64_t next = 0;
  double weight = 0;
  for (const data::Batch& batch : batches) {
    CHECK(batch.images.shape() == Shape{32, 1, 2, 2});
    CHECK(static_cast<std::int64_t>(batch.indices.size()) == batch.count);
    for (const std::int64_t index : batch.indices) CHECK(index == next++);
    for (const float w : batch.weights.to_vector<float>()) weight += w;
  }
  CHECK(next == 100);
  CHECK(weight == 100);
  const data::Batch last = batches[3];
  CHECK(last.count == 4);
  CHECK(last.weights.to_vector<float>()[4] == 0.0f);
  CHECK(last.images.to_vector<float>().back() == 96.0f / 255.0f);
  CHECK_THROWS_AS(batches[4], ArgumentError);
}

TEST_CASE("a stream goes on from any position") {
  const data::Images images = hundred();
  data::Stream whole = images.stream(30, Key(9));
  CHECK(whole.batches_per_epoch() == 3);
  std::vector<std::vector<std::int64_t>> all;
  std::vector<data::Position> positions;
  for (int i = 0; i < 8; ++i) {
    positions.push_back(whole.position());
    all.push_back(whole.next().indices);
  }
  CHECK(whole.position() == data::Position{2, 2});
  CHECK(all[0] != all[3]);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    data::Stream resumed = images.stream(30, Key(9));
    resumed.seek(positions[i]);
    for (std::size_t k = i; k < all.size(); ++k) CHECK(resumed.next().indices == all[k]);
  }
  // The first epoch is the one that batches() gives for the epoch's key.
  CHECK(images.batches(30, Key(9).fold_in(0))[1].indices == all[1]);
  CHECK_THROWS_AS(whole.seek({0, 4}), ArgumentError);
  CHECK_THROWS_AS(whole.seek({-1, 0}), ArgumentError);
}

TEST_CASE("sprites: any index, the same pixels, all shapes, anti-aliased, inside the image") {
  const data::Dataset sprites = data::open("sprites");
  const data::Images train = sprites.train(), validation = sprites.validation(),
                     test = sprites.test();
  CHECK(train.size() == 54000);
  CHECK(validation.size() == 6000);
  CHECK(test.size() == 10000);
  CHECK(train.height() == 28);
  CHECK(train.class_names().size() == 4);
  const std::vector<std::int64_t> indices{7, 53999, 7};
  Bytes pixels(3 * 784);
  train.read(indices, pixels);
  CHECK(std::equal(pixels.begin(), pixels.begin() + 784, pixels.begin() + 2 * 784));
  CHECK(!std::equal(pixels.begin(), pixels.begin() + 784, pixels.begin() + 784));
  Bytes again(3 * 784);
  data::open("sprites").train().read(indices, again);
  CHECK(again == pixels);

  std::set<std::int32_t> shapes;
  std::set<std::uint8_t> greys;
  Bytes image(784);
  for (std::int64_t i = 0; i < 200; ++i) {
    shapes.insert(train.label(i));
    train.read(std::span(&i, 1), image);
    greys.insert(image.begin(), image.end());
    CHECK(std::count(image.begin(), image.end(), 255) >= 5);
    for (std::size_t k = 0; k < 28; ++k) {
      const int edge = image[k] + image[27 * 28 + k] + image[28 * k] + image[28 * k + 27];
      CHECK(edge == 0);
    }
  }
  CHECK(shapes == std::set<std::int32_t>{0, 1, 2, 3});
  CHECK(greys.size() > 50);
  const std::int64_t zero = 0;
  validation.read(std::span(&zero, 1), image);
  Bytes expected(784);
  data::draw_sprite(data::sprite(0, 54000), 28, expected);
  CHECK(image == expected);
  CHECK(train.digest() != validation.digest());
  CHECK(train.digest() == data::open("sprites").train().digest());
  CHECK(train.digest() != data::open("sprites", {.sprites = {.seed = 1}}).train().digest());
  CHECK(data::open("sprites", {.sprites = {.size = 64}}).train().width() == 64);
  CHECK_THROWS_AS(data::open("sprites", {.sprites = {.size = 2}}), ArgumentError);
  CHECK_THROWS_AS(data::draw_sprite({.shape = 9}, 28, image), ArgumentError);
}

TEST_CASE("a folder of IDX files: splits of its own, or the last tenths") {
  const TemporaryFolder folder;
  write_file(folder / "train-images-idx3-ubyte", idx_images(100));
  write_file(folder / "train-labels-idx1-ubyte", idx({100}, counting(100)));
  {
    const data::Dataset set = data::open(folder.string());
    CHECK(set.test().size() == 10);
    CHECK(first_pixel(set.test(), 0) == 90);
    CHECK(set.validation().size() == 9);
    CHECK(first_pixel(set.validation(), 0) == 81);
    CHECK(set.train().size() == 81);
    CHECK(set.train().label(80) == 80);
  }
  write_file(folder / "t10k-images-idx3-ubyte", idx_images(5, 200));
  {
    const data::Dataset set = data::open(folder.string());
    CHECK(first_pixel(set.test(), 0) == 200);
    CHECK(set.train().size() == 90);
    CHECK(set.validation().size() == 10);
    CHECK(!set.test().has_labels());
    CHECK(set.train().has_labels());
  }
  write_file(folder / "valid-images-idx3-ubyte", idx_images(3, 150));
  const data::Dataset set = data::open(folder.string());
  CHECK(set.train().size() == 100);
  CHECK(first_pixel(set.validation(), 0) == 150);
  CHECK(set.train().height() == 2);
  CHECK(set.train().width() == 3);
}

TEST_CASE("hostile IDX folders") {
  const TemporaryFolder folder;
  const auto open_train = [&] { return data::open(folder.string()).train(); };
  CHECK(contains(data_error(open_train), "holds no data set that is known"));
  write_file(folder / "t10k-images-idx3-ubyte", idx_images(5));
  CHECK(contains(data_error(open_train), "has no training images"));

  const fs::path images = folder / "train-images-idx3-ubyte";
  write_file(images, {1, 2, 3});
  CHECK(contains(data_error(open_train), "train-images-idx3-ubyte"));
  Bytes truncated = idx_images(10);
  truncated.pop_back();
  write_file(images, truncated);
  CHECK(contains(data_error(open_train), "train-images-idx3-ubyte"));
  write_file(images, idx({0xffffffffu, 0xffffffffu, 3}, {}));
  CHECK(contains(data_error(open_train), "train-images-idx3-ubyte"));
  write_file(images, idx({0, 2, 3}, {}));
  CHECK(contains(data_error(open_train), "no pixels"));
  write_file(images, idx({10}, counting(10)));
  CHECK(contains(data_error(open_train), "images must be u8 (N,H,W)"));
  write_file(images, idx({2, 5, 1, 1}, counting(10)));
  CHECK(contains(data_error(open_train), "need 1 or 3 channels"));
  write_file(images, idx_images(10));
  write_file(folder / "train-labels-idx1-ubyte", idx({9}, counting(9)));
  CHECK(contains(data_error(open_train), "10 images need labels"));
  write_file(folder / "train-labels-idx1-ubyte", idx({10}, counting(10)));
  CHECK(open_train().size() == 9);
  write_file(images, idx_images(3));
  write_file(folder / "train-labels-idx1-ubyte", idx({3}, counting(3)));
  CHECK(contains(data_error([&] { data::open(folder.string()).validation(); }),
                 "leave none for the validation split"));
  fs::remove(images);
  fs::create_directory(images);
  CHECK(contains(data_error(open_train), "train-images-idx3-ubyte"));
}

TEST_CASE("check sees a damaged test set without reading it") {
  const TemporaryFolder folder;
  write_file(folder / "train-images-idx3-ubyte", idx_images(20));
  const fs::path images = folder / "t10k-images-idx3-ubyte";
  const auto check = [&] { data::open(folder.string()).check(data::Split::test); };
  CHECK_NOTHROW(check());  // it has none: a part of train stands in
  write_file(images, idx_images(10));
  CHECK_NOTHROW(check());
  Bytes truncated = idx_images(10);
  truncated.pop_back();
  write_file(images, truncated);
  CHECK(contains(data_error(check), "t10k-images-idx3-ubyte"));
  write_file(images, idx({10, 3, 2}, counting(60)));
  CHECK(contains(data_error(check), "images must be of one size"));
  fs::remove(images);
  fs::create_directory(images);
  CHECK(contains(data_error(check), "t10k-images-idx3-ubyte"));
}

TEST_CASE("absolute_name: paths become absolute, names stay") {
  const TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::create_directories(folder / "here");
  fs::current_path(folder / ".");
  const std::string here = (fs::current_path() / "here").string();
  CHECK(data::absolute_name("./here") == here);
  CHECK(data::absolute_name("here") == here);
  CHECK(data::absolute_name(here) == here);
  write_file("text", {1});
  CHECK(data::absolute_name("text") == (fs::current_path() / "text").string());
  CHECK(data::absolute_name("sprites") == "sprites");
  CHECK(data::absolute_name("nowhere") == "nowhere");
  fs::current_path(before);
}

TEST_CASE("names: what is looked for, and what to install") {
  const TemporaryFolder folder;
  const Environment variable("GENERA_DATA", folder.string());
  const std::string unknown = data_error([] { data::open("no-such-set"); });
  CHECK(contains(unknown, folder.string() + "/no-such-set"));
  CHECK(contains(unknown, "/usr/share/datasets/no-such-set"));
  CHECK(contains(unknown, "'sprites'"));
  CHECK(contains(data_error([] { data::open("./no-such-folder"); }), "no such folder"));
  CHECK(contains(data_error([] { data::open(""); }), "empty"));
  write_file(folder / "file", {1});
  CHECK(contains(data_error([&] { data::open((folder / "file").string()); }), "is not a folder"));

  fs::create_directory(folder / "mine");
  write_file(folder / "mine/train-images-idx3-ubyte", idx_images(100));
  CHECK(data::open("mine").test().size() == 10);
  CHECK(data::open("mine").name() == "mine");
  // A folder of that name comes before the generator.
  fs::create_directory(folder / "sprites");
  CHECK(contains(data_error([] { data::open("sprites"); }), "holds no data set that is known"));
}

TEST_CASE("fashion-mnist by name, or what to install") {
  const Environment variable("GENERA_DATA", "");
  if (!fs::is_directory("/usr/share/datasets/fashion-mnist")) {
    CHECK(contains(data_error([] { data::open("fashion-mnist"); }),
                   "apt-get install dataset-fashion-mnist"));
    return;
  }
  const data::Dataset fashion = data::open("fashion-mnist");
  CHECK(fashion.test().size() == 10000);
  CHECK(fashion.test().classes() == 10);
  CHECK(fashion.test().label(0) == 9);
  CHECK(fashion.train().size() == 54000);
  CHECK(fashion.validation().size() == 6000);
}

void write_png(const fs::path& path, const Shape& shape, std::uint8_t value) {
  const Bytes pixels(static_cast<std::size_t>(shape.elements()), value);
  io::write_png(path, io::HostArray::of<std::uint8_t>(shape, pixels));
}

TEST_CASE("folders of PNGs") {
  if (!io::has_png()) return;
  const TemporaryFolder folder;
  fs::create_directory(folder / "flat");
  for (int i = 0; i < 20; ++i)
    write_png(folder / ("flat/" + std::to_string(i) + ".png"), Shape{3, 2},
              static_cast<std::uint8_t>(i));
  write_file(folder / "flat/notes.txt", {1, 2});
  const data::Dataset flat = data::open((folder / "flat").string());
  CHECK(flat.train().size() == 17);
  CHECK(flat.validation().size() == 1);
  CHECK(flat.test().size() == 2);
  CHECK(flat.train().height() == 3);
  CHECK(!flat.train().has_labels());
  CHECK(flat.train().digest() == data::open((folder / "flat").string()).train().digest());

  for (const char* name : {"classes", "classes/cat", "classes/dog", "classes/empty"})
    fs::create_directory(folder / name);
  for (int i = 0; i < 10; ++i) {
    write_png(folder / ("classes/cat/" + std::to_string(i) + ".PNG"), Shape{2, 2, 3}, 10);
    write_png(folder / ("classes/dog/" + std::to_string(i) + ".png"), Shape{2, 2, 3}, 20);
  }
  const data::Images pets = data::open((folder / "classes").string()).train();
  CHECK(pets.channels() == 3);
  CHECK(pets.class_names() == std::vector<std::string>{"cat", "dog"});
  for (std::int64_t i = 0; i < pets.size(); ++i)
    CHECK(first_pixel(pets, i) == 10 * (pets.label(i) + 1));

  for (const char* name : {"parts", "parts/train", "parts/test"})
    fs::create_directory(folder / name);
  for (int i = 0; i < 10; ++i)
    write_png(folder / ("parts/train/" + std::to_string(i) + ".png"), Shape{2, 2}, 1);
  write_png(folder / "parts/test/a.png", Shape{2, 2}, 99);
  const data::Dataset parts = data::open((folder / "parts").string());
  CHECK(parts.train().size() == 9);
  CHECK(parts.validation().size() == 1);
  CHECK(first_pixel(parts.test(), 0) == 99);
}

TEST_CASE("hostile folders of PNGs") {
  if (!io::has_png()) return;
  const TemporaryFolder folder;
  const auto open_train = [&] { return data::open(folder.string()).train(); };
  write_file(folder / "a.png", {1, 2, 3});
  CHECK(contains(data_error(open_train), "a.png"));
  write_png(folder / "a.png", Shape{2, 2}, 1);
  write_png(folder / "b.png", Shape{2, 3}, 1);
  CHECK(contains(data_error(open_train), "make all images alike"));
  write_png(folder / "b.png", Shape{2, 2, 3}, 1);
  CHECK(contains(data_error(open_train), "make all images alike"));
  fs::remove(folder / "b.png");
  CHECK(contains(data_error([&] { data::open(folder.string(), {.max_bytes = 3}).train(); }),
                 "take more than 3 bytes"));
  fs::create_directory_symlink(".", folder / "loop");
  CHECK(contains(data_error([&] { data::open(folder.string()).validation(); }),
                 "leave none for the validation split"));
}

}  // namespace
}  // namespace genera
