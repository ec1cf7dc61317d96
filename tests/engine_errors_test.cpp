// Bad arguments: each gives an ArgumentError where the call is made; it names the operation and
// what it got.
#include <doctest/doctest.h>
#include <genera/autodiff.h>
#include <genera/functions.h>
#include <genera/random.h>
#include <genera/stats.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace genera {
namespace {

struct Row {
  std::string function;  ///< the message begins with [function]
  std::function<void()> call;
  std::vector<std::string> mentioned;  ///< shapes, dtypes or numbers that the message must contain
};

void check(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.function);
    try {
      row.call();
      FAIL_CHECK("accepted bad arguments");
    } catch (const ArgumentError& error) {
      const std::string message = error.what();
      INFO(message);
      CHECK(message.rfind("[" + row.function + "]", 0) == 0);
      for (const std::string& part : row.mentioned) {
        INFO("should mention " << part);
        CHECK(message.find(part) != std::string::npos);
      }
    }
  }
}

const Tensor& matrix() {
  static const Tensor x = detach(zeros({3, 5}));
  return x;
}
const Tensor& whole() {
  static const Tensor x = detach(zeros({3}, DType::i32));
  return x;
}

TEST_CASE("numbers whose sums or products leave 64 bits are refused, not wrapped") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max(),
                         large = std::int64_t{1} << 62;
  const Tensor five = ones({5});
  const Tensor image = ones({1, 1, 5}), kernel = ones({1, 1, 5});
  const std::vector<Row> rows{
      {"slice_update", [&] { (void)slice_update(five, ones({3}), {huge}); }, {"(5)"}},
      {"pad", [&] { (void)pad(five, {huge}, {huge}); }, {}},
      {"shape", [&] { (void)pad(five, {large}, {0}); }, {}},
      {"strided_slice", [&] { (void)strided_slice(five, {1}, {5}, {large}); }, {}},
      {"window", [&] { (void)window(five, {0}, {5}, {1}, {large}); }, {}},
      {"conv", [&] { (void)conv(image, kernel, {.dilation = {large}}); }, {}},
      {"conv", [&] { (void)conv(image, kernel, {.pad_lo = {huge}, .pad_hi = {huge}}); }, {}},
      {"conv_transpose", [&] { (void)conv_transpose(image, kernel, {.stride = {large}}); }, {}},
      {"shape",
       [&] { (void)concat(std::vector<Tensor>(3, zeros({std::int64_t{1} << 61})), 0); },
       {}},
  };
  check(rows);
}

TEST_CASE("slices with the largest steps") {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const Tensor x = cast(arange(5), DType::f32);
  CHECK(slice(x, 0, 1, 5, huge).to_vector<float>() == std::vector<float>{1});
  CHECK(slice(x, 0, 4, -6, -huge).to_vector<float>() == std::vector<float>{4});
  CHECK(slice(x, 0, 4, -6, -3).to_vector<float>() == std::vector<float>{4, 1});
}

}  // namespace

TEST_CASE("wrong shapes") {
  const Tensor& x = matrix();
  const Tensor y = zeros({4, 2});
  check({
      {"add", [&] { add(x, y); }, {"(3,5)", "(4,2)"}},
      {"multiply", [&] { x* y; }, {"(3,5)", "(4,2)"}},
      {"where", [&] { where(equal(x, x), y, y); }, {"(3,5)", "(4,2)"}},
      {"matmul", [&] { matmul(x, y); }, {"(3,5)", "(4,2)"}},
      {"matmul",
       [&] {
         matmul(zeros({2, 3, 4}), zeros({5, 4, 2}));
       },
       {}},
      {"reshape",
       [&] {
         reshape(x, {4, 4});
       },
       {"(3,5)"}},
      {"reshape",
       [&] {
         reshape(x, {-1, -1});
       },
       {}},
      {"reshape",
       [&] {
         reshape(x, {-1, 4});
       },
       {"(3,5)"}},
      {"broadcast_to",
       [&] {
         broadcast_to(x, {3, 6});
       },
       {"(3,5)", "(3,6)"}},
      {"concat",
       [&] {
         concat({x, y}, 0);
       },
       {"(3,5)", "(4,2)"}},
      {"concat", [&] { concat({}, 0); }, {}},
      {"conv",
       [&] {
         conv(zeros({8, 1, 28, 28}), zeros({32, 3, 5, 5}));
       },
       {"(32,3,5,5)", "(8,1,28,28)"}},
      {"conv",
       [&] {
         conv(zeros({1, 1, 3, 3}), zeros({1, 1, 5, 5}));
       },
       {}},
      {"conv", [&] { conv(x, x); }, {"(3,5)"}},
      {"solve_triangular",
       [&] {
         solve_triangular(zeros({3, 3}), zeros({4, 2}));
       },
       {"(3,3)", "(4,2)"}},
      {"cholesky", [&] { cholesky(x); }, {"(3,5)"}},
      {"lu", [&] { lu(x); }, {"(3,5)"}},
      {"pad", [&] { pad(x, {1}, {1}); }, {}},
      {"pad",
       [&] {
         pad(x, {-1, 0}, {0, 0});
       },
       {"-1"}},
      {"window", [&] { window(x, {1}, {9}, {1}); }, {"(3,5)"}},
      {"fold", [&] { fold(x, {7}, {0}, {2}, {1}); }, {"(3,5)"}},
      {"scatter_add",
       [&] {
         scatter_add(x, whole(), zeros({2, 5}));
       },
       {"(3,5)", "(2,5)"}},
      {"slice_update",
       [&] {
         slice_update(x, zeros({2, 5}), {2, 0});
       },
       {"(2,5)", "(3,5)"}},
      {"strided_slice",
       [&] {
         strided_slice(x, {0, 4}, {3, 2}, {1, 1});
       },
       {"(3,5)"}},
      {"dynamic_slice",
       [&] {
         dynamic_slice(x, zeros({2}, DType::i32), {4, 5});
       },
       {"(4,5)", "(3,5)"}},
  });
  CHECK_THROWS_AS(Tensor::from({1.0f, 2.0f}, Shape{3}), ArgumentError);
  CHECK_THROWS_AS((Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}), ArgumentError);
  CHECK_THROWS_AS((Shape{-1}), ArgumentError);
  CHECK_THROWS_AS((Shape{std::int64_t{1} << 40, std::int64_t{1} << 40}), ArgumentError);
}

TEST_CASE("wrong dtypes") {
  const Tensor& x = matrix();
  const Tensor& n = whole();
  const Tensor b = equal(n, n);
  check({
      {"add", [&] { add(zeros({3}), n); }, {"f32", "i32"}},
      {"add", [&] { add(b, b); }, {"bool"}},
      {"exp", [&] { exp(n); }, {"i32"}},
      {"fma", [&] { fma(n, n, n); }, {"i32"}},
      {"where", [&] { where(n, n, n); }, {"i32"}},
      {"sum", [&] { sum(b); }, {"bool"}},
      {"logcumsumexp", [&] { logcumsumexp(n, 0); }, {"i32"}},
      {"matmul", [&] { matmul(n, n); }, {"i32"}},
      {"matmul",
       [&] {
         matmul(x, zeros({5, 2}, DType::f64));
       },
       {"f32", "f64"}},
      {"gather", [&] { gather(x, x); }, {"f32"}},
      {"iota", [&] { iota({3}, 0, DType::u8); }, {"u8"}},
      {"grad", [&] { grad(sum(n), {x}); }, {"i32"}},
      {"vjp",
       [&] { vjp(std::vector{sum(x)}, std::vector{zeros({}, DType::f64)}, std::vector{x}); },
       {"f64"}},
  });
  CHECK_THROWS_AS(x.to_vector<double>(), ArgumentError);
}

TEST_CASE("wrong axes and counts") {
  const Tensor& x = matrix();
  check({
      {"sum", [&] { sum(x, {2}); }, {"2"}},
      {"sum",
       [&] {
         sum(x, {0, -2});
       },
       {}},
      {"max", [&] { max(x, {-3}); }, {"-3"}},
      {"argmax", [&] { argmax(x, 5); }, {"5"}},
      {"argmax", [&] { argmax(zeros({0}), 0); }, {"(0)"}},
      {"argsort", [&] { argsort(x, 2); }, {"2"}},
      {"cumsum", [&] { cumsum(x, -3); }, {"-3"}},
      {"permute", [&] { permute(x, {0}); }, {"(3,5)"}},
      {"permute",
       [&] {
         permute(x, {0, 0});
       },
       {}},
      {"concat",
       [&] {
         concat({x, x}, 2);
       },
       {"2"}},
      {"slice", [&] { slice(x, 3, 0, 1); }, {"3"}},
      {"slice", [&] { slice(x, 0, 0, 3, 0); }, {}},
      {"gather", [&] { gather(x, whole(), 7); }, {"7"}},
      {"iota", [&] { iota({3}, 1); }, {"1"}},
      {"grad", [&] { grad(x, {x}); }, {"(3,5)"}},
      {"conv",
       [&] {
         conv(zeros({1, 2, 5}), zeros({3, 1, 2}), {.groups = 2});
       },
       {"3", "2"}},
      {"conv",
       [&] {
         conv(zeros({1, 1, 5}), zeros({1, 1, 2}), {.stride = {0}});
       },
       {"0"}},
  });
  CHECK_THROWS_AS(x.size(2), ArgumentError);
  CHECK_THROWS_AS(x.item<float>(), ArgumentError);
  CHECK_THROWS_AS(set_threads(0), ArgumentError);
}

TEST_CASE("indices outside the extent are found when the plan runs, and the engine goes on") {
  const Tensor& x = matrix();
  for (const std::int32_t wrong : {3, -1, 1000000}) {
    const Tensor rows = Tensor::from({0, wrong}, Shape{2});
    for (const auto& asked : {gather(x, rows), scatter_add(x, rows, zeros({2, 5}))}) {
      std::string message;
      try {
        asked.eval();
      } catch (const ArgumentError& error) {
        message = error.what();
      }
      INFO(message);
      CHECK(message.find(std::to_string(wrong)) != std::string::npos);
      CHECK(message.find("[") == 0);
    }
  }
  CHECK(sum(gather(x, Tensor::from({0, 2}, Shape{2})) + 1.0).item<float>() == 10);
}

}  // namespace genera
