// Vulkan kernels whose form depends on the size: sorts, sums by index, small linear algebra, products of every tile. Beside tests/vulkan_test.cpp, whose
// cases are smaller.
#include <doctest/doctest.h>
#include <genera/error.h>
#include <genera/functions.h>
#include <genera/profile.h>
#include <genera/random.h>

#include "tests/conformance_check.h"
#include "tests/vulkan_counts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

namespace genera::cases {
namespace {

template <class T>
std::vector<T> run_on(const char* backend, const std::function<Tensor()>& build) {
  const OnBackend here(backend);
  return build().to_vector<T>();
}

/// Whether any step ran on the host while `work` did.
bool used_host(const std::function<void()>& work) {
  const auto host_steps = [] {
    const OnBackend vulkan("vulkan");
    return zoo::counts_so_far().host_steps();
  };
  const std::int64_t before = host_steps();
  work();
  return host_steps() != before;
}

/// Numbers in -8…8 with many that are equal, and NaN.
Tensor repeated_numbers(std::uint64_t seed, const Shape& shape) {
  const OnBackend cpu("cpu");
  const Tensor u = random_uniform(Key{seed}, shape);
  const Tensor number = floor(u * 17.0) - 8.0;
  return where(less(u, full_like(u, 0.05)), full_like(u, std::nan("")), number).eval();
}

Tensor random_indices(std::uint64_t seed, std::int64_t count, std::int64_t rows) {
  const OnBackend cpu("cpu");
  const Tensor u = random_uniform(Key{seed}, Shape{count});
  return cast(u * static_cast<double>(rows), DType::i32).eval();
}

/// Three matrices of numbers in -1…1 and `diagonal` more on the diagonal.
Tensor diagonal_and(std::int64_t n, double diagonal) {
  const OnBackend cpu("cpu");
  const Tensor noise = numbers(Shape{3, n, n}, -1, 1, static_cast<std::uint64_t>(n), DType::f32);
  return (noise + eye(n) * diagonal).eval();
}

}  // namespace

TEST_SUITE_BEGIN("subset");

TEST_CASE("vulkan: sorts of every length up to 1,024 are stable, NaN last, and the device's") {
  for (const std::int64_t n : {2, 64, 65, 100, 127, 512, 1000, 1024}) {
    INFO("rows of " << n);
    const Tensor lines = repeated_numbers(static_cast<std::uint64_t>(n), Shape{3, n});
    const Tensor columns = repeated_numbers(static_cast<std::uint64_t>(n), Shape{n, 3});
    const bool host = used_host([&] {
      for (const int axis : {0, 1}) {
        const auto sorted = [&] { return argsort(axis == 1 ? lines : columns, axis); };
        CHECK(run_on<std::int32_t>("vulkan", sorted) == run_on<std::int32_t>("reference", sorted));
      }
      const Tensor whole = cast(where(equal(lines, lines), lines, full_like(lines, 9)), DType::i32);
      const auto of_integers = [&] { return argsort(whole, 1); };
      CHECK(run_on<std::int32_t>("vulkan", of_integers) ==
            run_on<std::int32_t>("reference", of_integers));
    });
    CHECK_FALSE(host);
  }
  const Tensor longer = repeated_numbers(5, Shape{1025});
  CHECK(used_host([&] {
    const auto sorted = [&] { return argsort(longer, 0); };
    CHECK(run_on<std::int32_t>("vulkan", sorted) == run_on<std::int32_t>("reference", sorted));
  }));
}

TEST_CASE("vulkan: sums by index add in the order of positions, however many there are") {
  struct Row {
    std::int64_t rows, count, columns;
  };
  for (const Row& row : {Row{7, 64, 3}, Row{7, 65, 3}, Row{40, 1000, 5}, Row{5, 1024, 2},
                         Row{300, 1025, 2}, Row{11, 5000, 3}, Row{1, 3000, 1}}) {
    INFO(row.count << " into " << row.rows);
    const Tensor base = random_normal(Key{1}, Shape{row.rows, row.columns}).eval();
    const Tensor updates = random_normal(Key{2}, Shape{row.count, row.columns}).eval();
    const Tensor indices = random_indices(3, row.count, row.rows);
    const auto got =
        run_on<float>("vulkan", [&] { return scatter_add(base, indices, updates, 0); });
    std::vector<float> expected = base.to_vector<float>();
    const std::vector<float> terms = updates.to_vector<float>();
    const std::vector<std::int32_t> at = indices.to_vector<std::int32_t>();
    for (std::size_t j = 0; j < at.size(); ++j)
      for (std::int64_t c = 0; c < row.columns; ++c)
        expected[static_cast<std::size_t>(at[j] * row.columns + c)] +=
            terms[j * static_cast<std::size_t>(row.columns) + static_cast<std::size_t>(c)];
    CHECK(got == expected);
    const auto along_last = [&] {
      return transpose(scatter_add(transpose(base), indices, transpose(updates), 1));
    };
    CHECK(run_on<float>("vulkan", along_last) == expected);
  }
}

TEST_CASE("vulkan: replacing rows by index, with more rows than a workgroup sorts") {
  constexpr std::int64_t count = 2000;
  std::vector<std::int32_t> shuffled(count);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  std::rotate(shuffled.begin(), shuffled.begin() + 777, shuffled.end());
  std::reverse(shuffled.begin() + 300, shuffled.begin() + 1500);
  const Tensor indices = Tensor::from(shuffled, Shape{count});
  const Tensor base = random_normal(Key{1}, Shape{2100, 2}).eval();
  const Tensor updates = random_normal(Key{2}, Shape{count, 2}).eval();
  const auto set = [&] { return scatter_set(base, indices, updates, 0); };
  CHECK(run_on<float>("vulkan", set) == run_on<float>("reference", set));
}

TEST_CASE("vulkan: a bad index among many is found") {
  std::vector<std::int32_t> at(1500, 2);
  at[1200] = 5;
  at[1300] = -1;
  const OnBackend vulkan("vulkan");
  const Tensor base = zeros({5, 2});
  const Tensor updates = full({1500, 2}, 1.0);
  CHECK_THROWS_WITH_AS(scatter_add(base, Tensor::from(at, Shape{1500}), updates, 0).eval(),
                       "[scatter_add] index 5 at position 1200 is outside [0,5)", ArgumentError);
}

TEST_SUITE_END();

TEST_CASE("vulkan: products of every tile, whole and not, have the same bits") {
  // Thin ones, and around each tile's size; a column of a product is the product with the column.
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{{1, 300, 70},
                                                                        {2, 5, 3},
                                                                        {300, 1, 40},
                                                                        {5, 200, 33},
                                                                        {16, 16, 16},
                                                                        {17, 17, 2000},
                                                                        {33, 31, 20},
                                                                        {64, 64, 64},
                                                                        {65, 130, 17},
                                                                        {448, 448, 24},
                                                                        {500, 460, 9}}) {
    INFO(m << " x " << n << " x " << k);
    const Tensor a = random_normal(Key{1}, Shape{m, k}).eval();
    const Tensor b = random_normal(Key{2}, Shape{k, n}).eval();
    const Tensor a_turned = transpose(a).eval(), b_turned = transpose(b).eval();
    const auto product = run_on<float>("vulkan", [&] { return matmul(a, b); });
    CHECK(product == run_on<float>("vulkan", [&] { return matmul(transpose(a_turned), b); }));
    CHECK(product == run_on<float>("vulkan", [&] { return matmul(a, transpose(b_turned)); }));
    CHECK(product ==
          run_on<float>("vulkan", [&] { return transpose(matmul(b_turned, a_turned)); }));
    Case against;
    against.op = Op::MatMul;
    against.name = "MatMul";
    against.inputs = {a, b};
    against.build = [](const std::vector<Tensor>& x) { return std::vector{matmul(x[0], x[1])}; };
    CHECK(compare("vulkan", against, DType::f32) == "");
  }
}

TEST_CASE("vulkan: matrices of up to 64 x 64 are factored and solved on the device") {
  for (const std::int64_t n : {1, 2, 7, 31, 48, 63, 64, 65}) {
    INFO("n = " << n);
    Case factor;
    factor.op = Op::LU;
    factor.name = "LU";
    factor.inputs = {diagonal_and(n, 2)};
    factor.build = [](const std::vector<Tensor>& x) {
      const auto [packed, permutation] = lu(x[0]);
      return std::vector{packed, permutation};
    };
    Case root = factor;
    root.op = Op::Cholesky;
    root.name = "Cholesky";
    root.inputs = {diagonal_and(n, static_cast<double>(n) + 1)};
    root.build = [](const std::vector<Tensor>& x) { return std::vector{cholesky(x[0])}; };
    const bool host = used_host([&] {
      CHECK(compare("vulkan", factor, DType::f32) == "");
      CHECK(compare("vulkan", root, DType::f32) == "");
    });
    CHECK(host == (n > 64));
  }
}

TEST_CASE(
    "vulkan: triangles of up to 64 x 64 are solved on the device, for any number of columns") {
  for (const std::int64_t n : {1, 9, 48, 64})
    for (const std::int64_t columns : {1, 5, 64, 70})
      for (int bits = 0; bits < 8; ++bits) {
        INFO("n = " << n << ", " << columns << " columns, options " << bits);
        const TriangularOptions options{.lower = (bits & 1) != 0,
                                        .transpose = (bits & 2) != 0,
                                        .unit_diagonal = (bits & 4) != 0};
        Case solve;
        solve.op = Op::TriSolve;
        solve.name = "TriSolve";
        // Unit triangles of larger numbers grow exponentially.
        solve.inputs = {(diagonal_and(n, 20) * 0.05).eval(),
                        numbers(Shape{3, n, columns}, -1, 1, 5, DType::f32)};
        solve.build = [options](const std::vector<Tensor>& x) {
          return std::vector{solve_triangular(x[0], x[1], options)};
        };
        CHECK_FALSE(used_host([&] { CHECK(compare("vulkan", solve, DType::f32) == ""); }));
      }
}

TEST_CASE(
    "vulkan: matrices that are singular, indefinite or hold NaN factor like the reference's") {
  const float nan = std::nanf("");
  const std::vector<std::vector<float>> matrices{
      {0, 0, 0, 0, 0, 0, 0, 0, 0},     {1, 2, 3, 2, 4, 6, 1, 0, 1},
      {0, 1, 2, 0, 3, 4, 0, 5, 7},     {4, 2, 0, 2, 1, 0, 0, 0, 1},
      {4, 2, 0, 2, 5, 3, 0, 3, 1},     {-1, 0, 0, 0, 1, 0, 0, 0, 1},
      {4, nan, 0, nan, 5, 0, 0, 0, 1}, {nan, 1, 2, 1, 3, 4, 2, 4, 9},
      {1, 2, 2, nan, 3, 4, 0.5f, 4, 9}};
  for (const std::vector<float>& numbers : matrices) {
    Case factor;
    factor.op = Op::LU;
    factor.name = "LU";
    factor.inputs = {Tensor::from(numbers, Shape{3, 3})};
    factor.build = [](const std::vector<Tensor>& x) {
      const auto [packed, permutation] = lu(x[0]);
      return std::vector{packed, permutation};
    };
    CHECK(compare("vulkan", factor, DType::f32) == "");
    factor.op = Op::Cholesky;
    factor.name = "Cholesky";
    factor.build = [](const std::vector<Tensor>& x) { return std::vector{cholesky(x[0])}; };
    CHECK(compare("vulkan", factor, DType::f32) == "");
  }
}

TEST_CASE("vulkan: a plan shows the steps that the host runs") {
  const OnBackend vulkan("vulkan");
  const Tensor x = zeros({3, 80}).eval();
  CHECK(plan_text({argsort(x, 1)}).find("ArgSort on the host") == std::string::npos);
  CHECK(plan_text({argsort(zeros({1025}).eval(), 0)}).find("ArgSort on the host") !=
        std::string::npos);
  CHECK(plan_text({sum(cast(x, DType::f64))}).find("on the host") != std::string::npos);
  CHECK(plan_text({cholesky(eye(65).eval())}).find("Cholesky on the host") != std::string::npos);
  CHECK(plan_text({matmul(x, transpose(x))}).find("on the host") == std::string::npos);
}

}  // namespace genera::cases
