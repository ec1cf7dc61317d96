#include "doctor/known_answers.h"

#include <fmt/core.h>
#include <genera/genera.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace genera::doctor {
namespace {

/// Whole numbers from -span to span without a short period.
std::vector<float> whole_numbers(std::int64_t count, std::int64_t span, std::uint32_t seed) {
  std::vector<float> numbers(static_cast<std::size_t>(count));
  std::uint32_t state = seed;
  for (float& number : numbers) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes' generator
    number = static_cast<float>(static_cast<std::int64_t>(state >> 8) % (2 * span + 1) - span);
  }
  return numbers;
}

/// "" where got is expected to within `tolerance` relative to it (NaN where it is NaN).
std::string difference(const std::vector<float>& got, const std::vector<double>& expected,
                       double tolerance) {
  if (got.size() != expected.size())
    return fmt::format("{} numbers instead of {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double g = got[i], e = expected[i];
    const bool same = std::isnan(e) || std::isinf(e) ? (std::isnan(e) && std::isnan(g)) || g == e
                                                     : std::abs(g - e) <= tolerance * std::abs(e);
    if (!same) return fmt::format("number {} of {} is {}, not {}", i, got.size(), g, e);
  }
  return {};
}

/// (m,k) x (k,n).
std::vector<double> product(const std::vector<float>& a, const std::vector<float>& b, std::size_t m,
                            std::size_t k, std::size_t n) {
  std::vector<double> c(m * n, 0.0);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t p = 0; p < k; ++p)
      for (std::size_t j = 0; j < n; ++j)
        c[i * n + j] += static_cast<double>(a[i * k + p]) * b[p * n + j];
  return c;
}

std::string matrix_product() {
  // One that fills the tiles and one that fits none.
  for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{128, 128, 128}, {37, 131, 65}}) {
    const std::vector<float> a = whole_numbers(m * k, 8, 1), b = whole_numbers(k * n, 8, 2);
    const Tensor x = Tensor::from(a, Shape{m, k}), y = Tensor::from(b, Shape{k, n});
    const std::vector<double> expected =
        product(a, b, static_cast<std::size_t>(m), static_cast<std::size_t>(k),
                static_cast<std::size_t>(n));
    std::string wrong = difference(matmul(x, y).to_vector<float>(), expected, 0);
    if (wrong.empty())
      wrong =
          difference(transpose(matmul(transpose(y), transpose(x))).to_vector<float>(), expected, 0);
    if (!wrong.empty()) return fmt::format("({0},{1}) x ({1},{2}): {3}", m, k, n, wrong);
  }
  return {};
}

std::string reductions() {
  constexpr std::int64_t rows = 307, columns = 331;
  const std::vector<float> numbers = whole_numbers(rows * columns, 50, 3);
  const Tensor x = Tensor::from(numbers, Shape{rows, columns});
  std::vector<double> of_rows(rows, 0.0), of_columns(columns, 0.0), largest(rows, -1e9), total{0.0};
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      const double number = numbers[r * columns + c];
      of_rows[r] += number;
      of_columns[c] += number;
      largest[r] = std::max(largest[r], number);
      total[0] += number;
    }
  const auto wrong = [](const char* what, const Tensor& got, const std::vector<double>& expected) {
    const std::string text = difference(got.to_vector<float>(), expected, 0);
    return text.empty() ? text : fmt::format("{}: {}", what, text);
  };
  std::string text = wrong("sums of rows", sum(x, {1}), of_rows);
  if (text.empty()) text = wrong("sums of columns", sum(x, {0}), of_columns);
  if (text.empty()) text = wrong("maxima of rows", max(x, {1}), largest);
  if (text.empty()) text = wrong("sum of all", reshape(sum(x), {1}), total);
  return text;
}

/// The first numbers of a stream, and the sum of 100,003 of them.
std::string random_integers() {
  const auto numbers = random_bits(Key{2026}, Shape{100003}).to_vector<std::uint32_t>();
  std::uint64_t sum = 0;
  for (const std::uint32_t number : numbers) sum += number;
  const std::string got = fmt::format("{:08x} {:08x} {:08x} {:08x} {}", numbers[0], numbers[1],
                                      numbers[2], numbers[3], sum);
  const std::string expected = "55029ede 3e59aa95 abdf8947 a04f3dfc 214724326312291";
  return got == expected ? "" : fmt::format("{}, not {}", got, expected);
}

/// Functions of the engine's own, fused into one kernel.
std::string elementwise_program() {
  std::vector<float> numbers = whole_numbers(10007, 4000, 4);
  for (float& number : numbers) number /= 500;
  numbers[1] = std::numeric_limits<float>::quiet_NaN();
  numbers[2] = std::numeric_limits<float>::infinity();
  numbers[3] = -0.0f;
  const Tensor x = Tensor::from(numbers, Shape{static_cast<std::int64_t>(numbers.size())});
  const Tensor y =
      where(less(full(Shape{1}, 0.5), x), tanh(x) * exp(x * -0.25), sigmoid(x) + sqrt(x * x + 1.0));
  std::vector<double> expected;
  for (const double v : numbers)
    expected.push_back(v > 0.5 ? std::tanh(v) * std::exp(v * -0.25)
                               : 1 / (1 + std::exp(-v)) + std::sqrt(v * v + 1));
  return difference(y.to_vector<float>(), expected, 4e-6);
}

/// Of |x w|^2: 2 x^T x w.
std::string gradient() {
  constexpr std::int64_t rows = 19, inner = 23, columns = 11;
  const std::vector<float> a = whole_numbers(rows * inner, 4, 5),
                           b = whole_numbers(inner * columns, 4, 6);
  const Tensor x = Tensor::from(a, Shape{rows, inner}), w = Tensor::from(b, Shape{inner, columns});
  const Tensor y = matmul(x, w);
  const std::vector<double> expected_y = product(a, b, rows, inner, columns);
  std::vector<double> expected(inner * columns, 0.0);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < inner; ++i)
      for (std::size_t c = 0; c < columns; ++c)
        expected[i * columns + c] += 2.0 * a[r * inner + i] * expected_y[r * columns + c];
  return difference(grad(sum(y * y), {w})[0].to_vector<float>(), expected, 0);
}

}  // namespace

std::vector<Answer> known_answers() {
  const std::pair<const char*, std::string (*)()> questions[] = {
      {"matrix product", matrix_product},
      {"reductions", reductions},
      {"random integers", random_integers},
      {"elementwise program", elementwise_program},
      {"gradient", gradient}};
  std::vector<Answer> answers;
  for (const auto& [question, ask] : questions) {
    Answer answer{question, {}, 0};
    const auto begin = std::chrono::steady_clock::now();
    try {
      answer.wrong = ask();
    } catch (const Error& error) {
      answer.wrong = error.what();
    }
    answer.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace genera::doctor
