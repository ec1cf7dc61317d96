// Point clouds and densities as pictures.
#include <doctest/doctest.h>
#include <genera/error.h>

#include <numeric>
#include <vector>

#include "zoo/common/density_picture.h"

namespace genera::zoo {
namespace {

TEST_CASE("a histogram is a density, with the largest y in its first row") {
  const Box box{0, 4, 0, 2};
  // Two points in the lower left cell, one in the upper right one, one outside.
  const std::vector<float> points = {0.1f, 0.1f, 1.9f, 0.9f, 3.5f, 1.5f, 9, 9};
  const std::vector<double> shares = histogram(points, box, 2);
  CHECK(shares == std::vector<double>{0, 1.0 / 8, 2.0 / 8, 0});  // a cell has area 2
  CHECK(std::accumulate(shares.begin(), shares.end(), 0.0) * 2 == doctest::Approx(0.75));
}

TEST_CASE("a histogram of the cells' centres is even") {
  const Box box{-3, 5, -1, 1};
  const std::vector<float> centres = cell_centres(box, 7);
  REQUIRE(centres.size() == 2 * 49);
  CHECK(centres[1] > centres[centres.size() - 1]);  // from the top down
  for (const double share : histogram(centres, box, 7)) CHECK(share == doctest::Approx(1.0 / 16));
}

TEST_CASE("the box of points leaves outliers out") {
  std::vector<float> points;
  for (int i = 0; i < 100; ++i) {
    points.push_back(static_cast<float>(i));
    points.push_back(0);
  }
  const Box all = box_of(points), most = box_of(points, 10);
  CHECK(all.x_low == doctest::Approx(-4.95));
  CHECK(all.x_high == doctest::Approx(103.95));
  CHECK(most.x_low == doctest::Approx(10 - 79.0 / 20));
  CHECK(all.y_low < 0);  // not empty where all are equal
  CHECK(all.y_high > 0);
  CHECK_THROWS_AS(box_of(points, 50), ArgumentError);
}

TEST_CASE("heat maps: one scale for all, the first panel's; brighter is more") {
  const io::HostArray maps = heat_maps({{0, 1, 2, 4}, {2, 2, 8, 0}}, 2);
  CHECK(maps.shape == Shape{2, 3, 2, 2});
  const auto values = maps.as<float>();
  const auto brightness = [&](std::size_t panel, std::size_t cell) {
    return values[12 * panel + cell] + values[12 * panel + 4 + cell] +
           values[12 * panel + 8 + cell];
  };
  for (std::size_t cell = 1; cell < 4; ++cell) CHECK(brightness(0, cell) > brightness(0, cell - 1));
  CHECK(brightness(1, 0) == brightness(0, 2));
  CHECK(brightness(1, 2) == brightness(0, 3));
  CHECK(brightness(1, 3) == brightness(0, 0));
  for (const float value : values) CHECK((value >= 0 && value <= 1));
  CHECK_THROWS_AS(heat_maps({{0, 1}}, 2), ArgumentError);
}

}  // namespace
}  // namespace genera::zoo
