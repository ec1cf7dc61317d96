// Shapes, indexing, matrices, einsum.
#include "tests/functions_harness.h"

#include <algorithm>

namespace genera {
namespace {

using namespace functions_harness;

/// 0, 1, 2, … in f64.
Tensor counting(const Shape& shape) { return reshape(arange(shape.elements(), DType::f64), shape); }

TEST_CASE("stack, split, chunk") {
  const Tensor a = vector({1, 2}), b = vector({3, 4});
  check_values(stack({a, b}), {1, 2, 3, 4}, {2, 2});
  check_values(stack({a, b}, 1), {1, 3, 2, 4}, {2, 2});
  check_values(stack({a, b}, -1), {1, 3, 2, 4}, {2, 2});
  check_refused(
      "stack",
      [&] {
        stack({a, vector({1})});
      },
      "(1) f64");
  const Tensor x = counting({2, 5});
  const auto parts = split(x, {1, 0, 4}, 1);
  REQUIRE(parts.size() == 3);
  check_values(parts[0], {0, 5}, {2, 1});
  check_values(parts[1], {}, {2, 0});
  check_values(parts[2], {1, 2, 3, 4, 6, 7, 8, 9}, {2, 4});
  check_values(chunk(x, 2, 0)[1], {5, 6, 7, 8, 9}, {1, 5});
  check_refused(
      "split",
      [&] {
        split(x, {2, 2}, 1);
      },
      "(2,2)");
  check_refused("chunk", [&] { chunk(x, 2, 1); });
}

TEST_CASE("flip, roll, tile, repeat") {
  const Tensor x = counting({2, 3});
  check_values(flip(x, {1}), {2, 1, 0, 5, 4, 3}, {2, 3});
  check_values(flip(x, {0, -1}), {5, 4, 3, 2, 1, 0}, {2, 3});
  check_equal(flip(x, {}), x);
  check_values(roll(x, 1, 1), {2, 0, 1, 5, 3, 4}, {2, 3});
  check_values(roll(x, -1, 1), {1, 2, 0, 4, 5, 3}, {2, 3});
  check_equal(roll(x, 6, 1), x);
  check_values(tile(x, {2, 2}),
               {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, {4, 6});
  check_values(tile(x, {0, 1}), {}, {0, 3});
  check_values(repeat(x, 2, 1), {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}, {2, 6});
  check_values(repeat(x, 2, 0), {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}, {4, 3});
  const Tensor deep = counting({1, 1, 1, 1, 1, 1, 1, 2});
  check_values(tile(deep, {1, 1, 1, 1, 1, 1, 1, 2}), {0, 1, 0, 1}, {1, 1, 1, 1, 1, 1, 1, 4});
  check_refused("tile", [&] { tile(x, {2}); });
  check_gradients([](const auto& in) { return square(tile(in[0], {2, 3})); }, {noise({2, 3})});
  check_gradients([](const auto& in) { return square(roll(flip(in[0], {0}), 1, 1)); },
                  {noise({2, 3})});
}

TEST_CASE("squeeze, unsqueeze, flatten, move_axis") {
  const Tensor x = counting({2, 1, 3, 1});
  CHECK(squeeze(x).shape() == Shape{2, 3});
  CHECK(squeeze(x, {-1}).shape() == Shape{2, 1, 3});
  CHECK(unsqueeze(x, -1).shape() == Shape{2, 1, 3, 1, 1});
  CHECK(unsqueeze(x, 0).shape() == Shape{1, 2, 1, 3, 1});
  CHECK(flatten(x).shape() == Shape{6});
  CHECK(flatten(x, 1).shape() == Shape{2, 3});
  CHECK(flatten(x, 0, 1).shape() == Shape{2, 3, 1});
  CHECK(flatten(scalar(1)).shape() == Shape{1});
  CHECK(move_axis(counting({2, 3, 4}), 0, -1).shape() == Shape{3, 4, 2});
  CHECK(move_axis(counting({2, 3, 4}), 2, 0).shape() == Shape{4, 2, 3});
  check_refused(
      "squeeze", [&] { squeeze(x, {0}); }, "extent 2");
  check_refused("unsqueeze", [&] { unsqueeze(x, 6); });
  check_refused("flatten", [&] { flatten(x, 2, 1); });
}

TEST_CASE("pad_constant, linspace, meshgrid") {
  check_values(pad_constant(counting({2, 2}), {0, 1}, {1, 0}, -7), {-7, 0, 1, -7, 2, 3, -7, -7, -7},
               {3, 3});
  check_values(linspace(0, 1, 5, DType::f64), {0, 0.25, 0.5, 0.75, 1});
  check_values(linspace(-1, 0.3, 2, DType::f64), {-1, 0.3});
  check_values(linspace(2, 3, 1, DType::f64), {2});
  const Numbers thirds = list(linspace(0, 0.1, 4));
  CHECK(thirds.back() == static_cast<double>(0.1f));
  const auto grids = meshgrid({vector({1, 2}), vector({3, 4, 5})});
  check_values(grids[0], {1, 1, 1, 2, 2, 2}, {2, 3});
  check_values(grids[1], {3, 4, 5, 3, 4, 5}, {2, 3});
}

TEST_CASE("sort and top_k") {
  const Tensor x = tensor({3, nan, 1, 2, 5, 4, 4, -1}, {2, 4});
  check_values(sort(x), {1, 2, 3, nan, -1, 4, 4, 5}, {2, 4});
  check_values(sort(x, -1, true), {3, 2, 1, nan, 5, 4, 4, -1}, {2, 4});
  check_values(sort(transpose(x), 0), {1, -1, 2, 4, 3, 4, nan, 5}, {4, 2});
  check_values(sort(cast(vector({3, 0, 200}), DType::u8), 0, true), {200, 3, 0});
  const auto [values, indices] = top_k(x, 2);
  check_values(values, {3, 2, 5, 4}, {2, 2});
  check_values(indices, {0, 3, 0, 1}, {2, 2});
  check_values(top_k(transpose(x), 1, 0).first, {3, 5}, {1, 2});
  check_refused(
      "top_k", [&] { top_k(x, 5); }, "5 of the 4");
  check_gradients([](const auto& in) { return square(sort(in[0], 0)); }, {noise({4, 2})});
  check_gradients([](const auto& in) { return square(top_k(in[0], 2).first); }, {noise({2, 4})});
}

TEST_CASE("take_along_axis, put_along_axis, scatter_add_along_axis") {
  const Tensor x = counting({2, 3});
  check_values(take_along_axis(x, integers({2, 0, 0, 1}, {2, 2}), 1), {2, 0, 3, 4}, {2, 2});
  check_values(take_along_axis(x, integers({1, 0, 1}, {1, 3}), 0), {3, 1, 5}, {1, 3});
  check_values(take_along_axis(x, integers({1, 2}, {1, 2}), 1), {1, 2, 4, 5}, {2, 2});
  check_values(put_along_axis(x, integers({2, 0}, {2, 1}), tensor({-1}, {1, 1}), 1),
               {0, 1, -1, -1, 4, 5}, {2, 3});
  check_values(put_along_axis(x, integers({1, 0, 1}, {1, 3}), tensor({7, 8, 9}, {1, 3}), 0),
               {0, 8, 2, 7, 4, 9}, {2, 3});
  check_values(scatter_add_along_axis(x, integers({0, 0, 2, 1}, {2, 2}),
                                      tensor({10, 20, 30, 40}, {2, 2}), 1),
               {30, 1, 2, 3, 44, 35}, {2, 3});
  check_refused("take_along_axis", [&] { take_along_axis(x, integers({0}, {1}), 0); });
  check_refused("put_along_axis", [&] {
    put_along_axis(x, integers({0}, {1, 1}), tensor({1}, {1, 1}), 1);
  });
  // A wrong index must not reach into the next row.
  CHECK_THROWS_AS(take_along_axis(x, integers({3, 0}, {2, 1}), 1).eval(), ArgumentError);
  CHECK_THROWS_AS(take_along_axis(x, integers({0, -1}, {2, 1}), 1).eval(), ArgumentError);
  const Tensor where_to = integers({2, 0, 0, 1, 1, 2}, {3, 2});
  check_gradients([=](const auto& in) { return square(take_along_axis(in[0], where_to, 1)); },
                  {noise({3, 3})});
  check_gradients([=](const auto& in) { return square(take_along_axis(in[0], where_to, 0)); },
                  {noise({4, 2})});
  check_gradients([=](const auto& in) { return square(put_along_axis(in[0], where_to, in[1], 1)); },
                  {noise({3, 3}), noise({3, 2}, 1)});
  check_gradients(
      [=](const auto& in) { return square(scatter_add_along_axis(in[0], where_to, in[1], 0)); },
      {noise({4, 2}), noise({3, 2}, 1)});
}

TEST_CASE("one_hot and embedding") {
  check_values(one_hot(integers({1, 0, 5}, {3}), 3), {0, 1, 0, 1, 0, 0, 0, 0, 0}, {3, 3});
  CHECK(one_hot(integers({1}, {1}), 3, DType::boolean).dtype() == DType::boolean);
  check_values(embedding(integers({2, 0}, {1, 2}), counting({3, 2})), {4, 5, 0, 1}, {1, 2, 2});
  check_refused("embedding", [] { embedding(integers({0}, {1}), vector({1})); });
  check_refused("one_hot", [] { one_hot(vector({1}), 3); });
  const Tensor words = integers({1, 1, 0}, {3});
  check_gradients([=](const auto& in) { return square(embedding(words, in[0])); }, {noise({3, 2})});
}

TEST_CASE("eye, tril, triu, diagonals, trace, dot, outer") {
  check_values(eye(2), {1, 0, 0, 1}, {2, 2});
  check_values(eye(2, 3), {1, 0, 0, 0, 1, 0}, {2, 3});
  const Tensor x = counting({2, 3, 4});
  for (int offset = -4; offset <= 5; ++offset) {
    CAPTURE(offset);
    Numbers lower, upper, diagonals;
    const Numbers all = list(x);
    for (int b = 0; b < 2; ++b)
      for (int r = 0; r < 3; ++r)
        for (int c = 0; c < 4; ++c) {
          const double value = all[static_cast<std::size_t>(b * 12 + r * 4 + c)];
          lower.push_back(c - r <= offset ? value : 0);
          upper.push_back(c - r >= offset ? value : 0);
          if (c - r == offset) diagonals.push_back(value);
        }
    check_values(tril(x, offset), lower, {2, 3, 4});
    check_values(triu(x, offset), upper, {2, 3, 4});
    check_values(diagonal(x, offset), diagonals,
                 {2, static_cast<std::int64_t>(diagonals.size()) / 2});
    const Tensor rows = counting({2, 3}) + 1;
    const Tensor square_matrices = diag_embed(rows, offset);
    CHECK(square_matrices.shape() == Shape{2, 3 + std::abs(offset), 3 + std::abs(offset)});
    check_equal(diagonal(square_matrices, offset), rows);
    check_values(sum(square_matrices), {21}, Shape{});
  }
  check_values(trace(counting({2, 2, 2})), {3, 11});
  check_values(dot(vector({1, 2}), vector({3, 4})), {11}, Shape{});
  check_values(outer(vector({1, 2}), vector({3, 4, 5})), {3, 4, 5, 6, 8, 10}, {2, 3});
  check_refused("tril", [] { tril(vector({1})); });
  check_refused("dot", [] { dot(vector({1}), vector({1, 2})); });
  check_gradients([](const auto& in) { return square(diag_embed(diagonal(in[0], 1), -1)); },
                  {noise({3, 4})});
  check_gradients([](const auto& in) { return square(tril(in[0])); }, {noise({3, 3})});
}

/// einsum by loops over all labels.
struct Loops {
  std::vector<std::string> terms;
  std::string output;
};

void check_einsum(const std::string& equation, const Loops& loops,
                  const std::vector<Tensor>& operands) {
  INFO(equation);
  std::string labels;
  std::vector<std::int64_t> extents;
  for (std::size_t k = 0; k < operands.size(); ++k)
    for (std::size_t i = 0; i < loops.terms[k].size(); ++i) {
      const std::int64_t extent = operands[k].size(static_cast<int>(i));
      const auto at = labels.find(loops.terms[k][i]);
      if (at == std::string::npos) {
        labels += loops.terms[k][i];
        extents.push_back(extent);
      } else {
        extents[at] = std::max(extents[at], extent);
      }
    }
  std::vector<Numbers> values;
  for (const Tensor& operand : operands) values.push_back(list(operand));
  std::vector<std::int64_t> index(labels.size(), 0);
  std::vector<std::int64_t> shape;
  for (const char c : loops.output) shape.push_back(extents[labels.find(c)]);
  Numbers result(static_cast<std::size_t>(Shape(shape).elements()), 0);
  std::int64_t total = 1;
  for (const std::int64_t extent : extents) total *= extent;
  for (std::int64_t n = 0; n < total; ++n) {
    std::int64_t rest = n;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      index[i] = rest % extents[i];
      rest /= extents[i];
    }
    double product = 1;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      std::int64_t at = 0;
      for (std::size_t i = 0; i < loops.terms[k].size(); ++i) {
        const std::int64_t extent = operands[k].size(static_cast<int>(i));
        at = at * extent + (extent == 1 ? 0 : index[labels.find(loops.terms[k][i])]);
      }
      product *= values[k][static_cast<std::size_t>(at)];
    }
    std::int64_t out = 0;
    for (std::size_t i = 0; i < loops.output.size(); ++i)
      out = out * shape[i] + index[labels.find(loops.output[i])];
    result[static_cast<std::size_t>(out)] += product;
  }
  check_values(einsum(equation, operands), result, Shape(shape), 1e-10);
}

TEST_CASE("einsum agrees with loops over all indices") {
  const Tensor ij = noise({3, 4}, 1), jk = noise({4, 5}, 2), b = noise({2, 3, 4}, 3),
               c = noise({2, 4, 5}, 4);
  const Tensor square_matrix = noise({3, 3}, 5), i = noise({3}, 6), j = noise({4}, 7);
  check_einsum("ij,jk->ik", {{"ij", "jk"}, "ik"}, {ij, jk});
  check_einsum("ij,jk", {{"ij", "jk"}, "ik"}, {ij, jk});
  check_einsum("ij,jk->ki", {{"ij", "jk"}, "ki"}, {ij, jk});
  check_einsum("bij,bjk->bik", {{"bij", "bjk"}, "bik"}, {b, c});
  check_einsum("bij,bjk->ikb", {{"bij", "bjk"}, "ikb"}, {b, c});
  check_einsum("bij,bjk->ik", {{"bij", "bjk"}, "ik"}, {b, c});
  check_einsum("i,j->ij", {{"i", "j"}, "ij"}, {i, j});
  check_einsum("i,ij,j->", {{"i", "ij", "j"}, ""}, {i, ij, j});
  check_einsum("ij,ij->i", {{"ij", "ij"}, "i"}, {ij, ij});
  check_einsum("ij->ji", {{"ij"}, "ji"}, {ij});
  check_einsum("ij->", {{"ij"}, ""}, {ij});
  check_einsum("ij->j", {{"ij"}, "j"}, {ij});
  check_einsum("ba", {{"ba"}, "ab"}, {ij});
  check_einsum("ii->i", {{"ii"}, "i"}, {square_matrix});
  check_einsum("ii", {{"ii"}, ""}, {square_matrix});
  check_einsum("ii,i->", {{"ii", "i"}, ""}, {square_matrix, i});
  check_einsum("iij->ij", {{"iij"}, "ij"}, {noise({2, 2, 3})});
  check_einsum("iji->j", {{"iji"}, "j"}, {noise({2, 3, 2})});
  check_einsum("iii->i", {{"iii"}, "i"}, {noise({2, 2, 2})});
  check_einsum("...ij,...jk->...ik", {{"xij", "xjk"}, "xik"}, {b, c});
  check_einsum("...ij,jk", {{"xij", "jk"}, "xik"}, {b, jk});
  check_einsum("i...,i->...", {{"ixy", "i"}, "xy"}, {b, vector({2, 3})});
  check_einsum(" i j , j k -> i k ", {{"ij", "jk"}, "ik"}, {ij, jk});
  check_einsum("...i,...i->...", {{"xyi", "zyi"}, "xy"}, {noise({2, 3, 4}), noise({1, 3, 4}, 1)});
  check_einsum("...,...->", {{"xy", "zy"}, ""}, {noise({2, 3}), noise({1, 3}, 1)});
  check_einsum("ab,bc,cd,de->ae", {{"ab", "bc", "cd", "de"}, "ae"},
               {noise({2, 3}), noise({3, 4}, 1), noise({4, 2}, 2), noise({2, 3}, 3)});
  check_einsum("abc,cd,ab->db", {{"abc", "cd", "ab"}, "db"},
               {noise({2, 3, 4}), noise({4, 5}, 1), noise({2, 3}, 2)});
  check_values(einsum("i,i->", {integers({1, 2}, {2}), integers({3, 4}, {2})}), {11}, Shape{});
  check_gradients([](const auto& in) { return einsum("bij,bjk,b->ik", in); },
                  {noise({2, 2, 3}), noise({2, 3, 2}, 1), noise({2}, 2)});
  check_gradients([](const auto& in) { return einsum("ii,i->i", in); },
                  {noise({3, 3}), noise({3}, 2)});
}

TEST_CASE("einsum refuses what it cannot read") {
  const Tensor x = noise({2, 3});
  check_refused(
      "einsum", [&] { einsum("ij,jk->ik", {x}); }, "2 operands, got 1");
  check_refused(
      "einsum", [&] { einsum("ijk->i", {x}); }, "names 3 axes");
  check_refused("einsum", [&] { einsum("i->i", {x}); });
  check_refused(
      "einsum", [&] { einsum("ii->i", {x}); }, "extents 2 and 3");
  check_refused(
      "einsum",
      [&] {
        einsum("ij,ji->", {x, x});
      },
      "extents");
  check_refused("einsum", [&] { einsum("ij->k", {x}); });
  check_refused("einsum", [&] { einsum("ij->ii", {x}); });
  check_refused("einsum", [&] { einsum("i1->i", {x}); });
  check_refused("einsum", [&] { einsum("", {}); });
}

}  // namespace
}  // namespace genera
