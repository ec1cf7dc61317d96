// The figures of samples against closed forms and points set by hand, the classifier, and samples
// as files.
#include <doctest/doctest.h>

#include <genera/data.h>
#include <genera/ops.h>
#include <genera/random.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "tests/temporary_folder.h"
#include "zoo/common/classifier.h"
#include "zoo/common/image_grid.h"
#include "zoo/common/sample_files.h"
#include "zoo/common/sample_quality.h"
#include "zoo/common/symmetric_eigen.h"

namespace genera::zoo {
namespace {

using test::TemporaryFolder;

Features points(std::int64_t size, std::vector<float> values) {
  return {std::ssize(values) / size, size, std::move(values)};
}

Features normal_points(std::int64_t count, std::int64_t size, std::uint64_t seed, double scale = 1,
                       double shift = 0) {
  const Tensor draws = random_normal(Key(seed), {count, size}) * scale + shift;
  return {count, size, draws.to_vector<float>()};
}

TEST_CASE("symmetric eigenvectors rebuild their matrix and are orthonormal") {
  for (const std::size_t n : {1u, 2u, 7u, 40u}) {
    std::vector<double> a(n * n);
    const auto draws = random_normal(Key(n), {static_cast<std::int64_t>(n * n)}).to_vector<float>();
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) a[i * n + j] = draws[i * n + j] + draws[j * n + i];
    const SymmetricEigen eigen = symmetric_eigen(a, n);
    double worst = 0, skew = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double rebuilt = 0, product = 0;
        for (std::size_t k = 0; k < n; ++k) {
          rebuilt += eigen.vectors[i * n + k] * eigen.values[k] * eigen.vectors[j * n + k];
          product += eigen.vectors[k * n + i] * eigen.vectors[k * n + j];
        }
        worst = std::max(worst, std::abs(rebuilt - a[i * n + j]));
        skew = std::max(skew, std::abs(product - (i == j ? 1 : 0)));
      }
    CHECK(worst < 1e-12 * static_cast<double>(n));
    CHECK(skew < 1e-13 * static_cast<double>(n));
  }
}

TEST_CASE("the Fréchet distance is its closed form where there is one") {
  // Diagonal covariances commute: sum over axes of (m_a - m_b)^2 + (s_a - s_b)^2.
  const Moments a{{1, 2, 3}, {4, 0, 0, 0, 9, 0, 0, 0, 0}};
  const Moments b{{1, 0, 4}, {1, 0, 0, 0, 25, 0, 0, 0, 4}};
  CHECK(frechet_distance(a, b) == doctest::Approx(0 + 4 + 1 + 1 + 4 + 4).epsilon(1e-12));
  // In two dimensions tr((AB)^1/2) = sqrt(tr(AB) + 2 sqrt(det(AB))), whether they commute or not.
  const Moments c{{0, 0}, {2, 0.5, 0.5, 1}}, d{{0, 0}, {1, -0.7, -0.7, 3}};
  const double trace_product = 2 * 1 + 0.5 * -0.7 * 2 + 1 * 3;
  const double determinant = (2 * 1 - 0.25) * (1 * 3 - 0.49);
  const double expected = 3 + 4 - 2 * std::sqrt(trace_product + 2 * std::sqrt(determinant));
  CHECK(frechet_distance(c, d) == doctest::Approx(expected).epsilon(1e-12));
  CHECK(frechet_distance(d, c) == doctest::Approx(expected).epsilon(1e-12));
  CHECK(frechet_distance(c, c) == doctest::Approx(0).epsilon(1e-12));
  CHECK_THROWS_AS(frechet_distance(a, c), ArgumentError);
}

TEST_CASE("moments are means and unbiased covariances") {
  const Moments m = moments(points(2, {1, 10, 2, 30, 3, 50}));
  CHECK(m.mean == std::vector<double>{2, 30});
  CHECK(m.covariance == std::vector<double>{1, 20, 20, 400});
  CHECK_THROWS_AS(moments(points(2, {1, 2})), ArgumentError);
}

TEST_CASE("the Fréchet distance of draws comes near that of their distributions") {
  // N(0, 1) against N(0.5, 4) in each of 4 dimensions: 4 (0.25 + 1).
  const Figure figure =
      frechet_figure(normal_points(4000, 4, 1), normal_points(4000, 4, 2, 2, 0.5), "");
  CHECK(std::abs(figure.value - 5) < 4 * figure.standard_error);
  // Of a sum of squares of means and deviations whose errors are known the error is known too.
  const double expected_error = std::sqrt(4 * (5 / 4000.0 * 1 + 4 * (1 + 4) / 2.0 / 4000.0));
  CHECK(figure.standard_error > 0.4 * expected_error);
  CHECK(figure.standard_error < 2 * expected_error);
}

TEST_CASE("distances to neighbours leave the point itself out") {
  const Features line = points(1, {0, 1, 3, 7, 7});
  const auto nearest = neighbour_distances(line, 1), second = neighbour_distances(line, 2);
  const std::vector<float> one = {1, 1, 4, 0, 0}, two = {9, 4, 9, 16, 16};
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(nearest[i] == doctest::Approx(one[i]).epsilon(1e-4));
    CHECK(second[i] == doctest::Approx(two[i]).epsilon(1e-4));
  }
  CHECK_THROWS_AS(neighbour_distances(line, 5), ArgumentError);
}

TEST_CASE("a covering counts on both sides") {
  // With k = 1: radii 1, 1, 2 (squared 4) around 0, 1, 3.
  const Covering c = covering(points(1, {0, 1, 3}), points(1, {-1, 0.5, 4.5, 100}), 1);
  CHECK(c.holders == std::vector<std::int32_t>{1, 2, 1, 0});
  CHECK(c.held == std::vector<std::int32_t>{2, 1, 1});
}

double value_of(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& figure : figures)
    if (figure.name == name) return figure.value;
  return NAN;
}

TEST_CASE("precision, recall, density and coverage of sets whose answer is known") {
  const Features real = normal_points(1200, 3, 5);
  const auto same = neighbour_figures(real, normal_points(1200, 3, 6), "");
  CHECK(value_of(same, "precision") > 0.85);
  CHECK(value_of(same, "recall") > 0.85);
  CHECK(value_of(same, "density") == doctest::Approx(1).epsilon(0.1));
  // Naeem et al., section 3.2: 1 - (N-1)...(N-k) / (2N-1)...(2N-k), near 1 - 2^-k.
  CHECK(value_of(same, "coverage") == doctest::Approx(1 - 1 / 32.0).epsilon(0.02));
  const auto apart = neighbour_figures(real, normal_points(1200, 3, 7, 1, 50), "");
  for (const Figure& figure : apart) CHECK(figure.value == 0);
  // A generator that dropped half of the space: all it makes is real, but half of the real is lost.
  Features half = normal_points(1200, 3, 8);
  for (std::size_t i = 0; i < half.values.size(); i += 3) half.values[i] = std::abs(half.values[i]);
  const auto dropped = neighbour_figures(real, half, "");
  CHECK(value_of(dropped, "precision") > 0.85);
  CHECK(value_of(dropped, "recall") < 0.7);
  CHECK(value_of(dropped, "coverage") < 0.65);
  // One that adds as much again far away: nothing is lost, but half of it is wrong.
  Features spread = normal_points(1200, 3, 9);
  for (std::size_t i = 0; i < spread.values.size() / 2; ++i) spread.values[i] += 50;
  const auto added = neighbour_figures(real, spread, "");
  CHECK(value_of(added, "precision") == doctest::Approx(0.47).epsilon(0.1));
  CHECK(value_of(added, "recall") > 0.8);
  CHECK(value_of(added, "density") == doctest::Approx(0.5).epsilon(0.1));
}

// Few enough sprites to train on within a second or two.
data::Dataset few_sprites() {
  return data::open("sprites", {.sprites = {.size = 12, .train = 2500, .test = 100}});
}

TEST_CASE("the classifier learns, is the same every time, and is stored") {
  const TemporaryFolder folder;
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string restored = before != nullptr ? before : "";
  setenv("XDG_CACHE_HOME", folder.string().c_str(), 1);
  const data::Dataset sprites = few_sprites();
  Console console(true);
  const Classifier first = open_classifier(sprites, console);
  CHECK(first.accuracy(sprites.test()) > 0.5);  // of four shapes
  CHECK(folder.files() == 1);
  const Classifier stored = open_classifier(sprites, console);
  CHECK(stored.digest() == first.digest());
  const Classifier again = Classifier::trained_on(sprites.train(), console);
  CHECK(again.digest() == first.digest());
  // A damaged file is noticed and replaced.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 100);
  CHECK(open_classifier(sprites, console).digest() == first.digest());
  if (before != nullptr)
    setenv("XDG_CACHE_HOME", restored.c_str(), 1);
  else
    unsetenv("XDG_CACHE_HOME");
  // Images in an array and in a data set, in batches of any size, give the same.
  const data::Images test = sprites.test();
  std::vector<std::int64_t> indices(70);
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
  const auto pixels = test.batch(indices).images.to_vector<float>();
  const auto array = io::HostArray::of<float>(Shape{70, 1, 12, 12}, pixels);
  const Features of_array = first.features_of(array), of_data = first.features_of(test);
  REQUIRE(of_array.count == 70);
  REQUIRE(of_data.count == 100);
  for (std::size_t i = 0; i < of_array.values.size(); ++i)
    CHECK(of_array.values[i] == doctest::Approx(of_data.values[i]).epsilon(1e-4));
  const auto classes = first.classes(array);
  double right = 0;
  for (std::size_t i = 0; i < 70; ++i) right += classes[i] == test.label(indices[i]) ? 1 : 0;
  CHECK(right / 70 > 0.4);
}

// The images' grey levels in an order that does not depend on that of the images.
std::vector<std::vector<long>> as_rows(const io::HostArray& images) {
  std::vector<std::vector<long>> rows(static_cast<std::size_t>(images.shape[0]));
  const auto values = images.as<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    rows[i * rows.size() / values.size()].push_back(std::lround(values[i] * 255));
  std::sort(rows.begin(), rows.end());
  return rows;
}

TEST_CASE("samples are read from pictures and arrays") {
  const TemporaryFolder folder;
  std::vector<float> values;
  for (int i = 0; i < 12 * 3 * 4 * 5; ++i) values.push_back(static_cast<float>(i % 256) / 255.0f);
  const auto images = io::HostArray::of<float>(Shape{12, 3, 4, 5}, values);
  io::write_npy(folder / "array.npy", images);
  std::filesystem::create_directory(folder / "pictures");
  const std::span<const std::byte> bytes = images.bytes;
  for (std::size_t i = 0; i < 12; ++i)
    write_grid(folder.path() / "pictures" / (std::to_string(i) + ".png"),
               {DType::f32, {1, 3, 4, 5}, bytes.subspan(i * 240, 240)}, "how",
               {.columns = 1, .padding = 0, .scale = 1});
  for (const std::string name : {"pictures", "array.npy"}) {
    const io::HostArray back = import_images(folder / name);
    REQUIRE(back.shape == images.shape);
    CHECK(as_rows(back) == as_rows(images));
  }
  const std::vector<std::uint8_t> grey = {0, 51, 255, 102};
  io::write_npy(folder / "grey.npy", io::HostArray::of<std::uint8_t>(Shape{2, 2, 1}, grey));
  const io::HostArray read = import_images(folder / "grey.npy");
  REQUIRE(read.shape == Shape{2, 1, 2, 1});
  CHECK(read.as<float>()[1] == doctest::Approx(0.2));
  io::write_npy(folder / "wrong.npy", io::HostArray::of<float>(Shape{1, 1, 1}, std::vector{2.0f}));
  CHECK_THROWS_AS(import_images(folder / "wrong.npy"), DataError);
  io::write_npy(folder / "flat.npy", io::HostArray::zeros(DType::f32, {4}));
  CHECK_THROWS_AS(import_images(folder / "flat.npy"), DataError);
}

}  // namespace
}  // namespace genera::zoo
