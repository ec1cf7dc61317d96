// Reference contractions and linear algebra: hand-made examples, residuals and the trilinear
// identity.
#include "tests/reference_harness.h"

namespace genera {
namespace {

using namespace reference_harness;

Value matmul(const Value& a, const Value& b) {
  const int r = a.shape.rank();
  return compute(Op::MatMul, nullptr, {a, b}, a.dtype, a.shape.with(r - 1, b.shape[r - 1]));
}

/// x with its last two axes exchanged.
Value transposed(const Value& x) {
  const int r = x.shape.rank();
  PermuteAttrs attrs{};
  for (int d = 0; d < r; ++d) attrs.axes[static_cast<std::size_t>(d)] = d;
  std::swap(attrs.axes[static_cast<std::size_t>(r - 1)],
            attrs.axes[static_cast<std::size_t>(r - 2)]);
  const Shape shape = x.shape.with(r - 2, x.shape[r - 1]).with(r - 1, x.shape[r - 2]);
  return compute(Op::Permute, &attrs, {x}, x.dtype, shape);
}

TEST_CASE("reference: MatMul") {
  const Value a = make<float>({2, 3}, {1, 2, 3, 4, 5, 6}), b = make<float>({3, 1}, {1, 0, -1});
  check_equal(list<float>(matmul(a, b)), {-2, -2});
  check_equal(list<float>(matmul(transposed(a), a)), {17, 22, 27, 22, 29, 36, 27, 36, 45});
  check_equal(list<float>(matmul(a, transposed(a))), {14, 32, 32, 77});
  const Value batch = make<double>({2, 1, 2}, {1, 2, 3, 4});
  check_equal(list<double>(matmul(transposed(batch), batch)), {1, 2, 2, 4, 9, 12, 12, 16});
  check_equal(
      list<float>(matmul(make<float>({1, 3}, {1e8, 1, -1e8}), make<float>({3, 1}, {1, 1, 1}))),
      {1});
  check_equal(list<float>(matmul(Value(DType::f32, {2, 0}), Value(DType::f32, {0, 2}))),
              {0, 0, 0, 0});
  CHECK(list<float>(matmul(Value(DType::f32, {0, 2, 3}), Value(DType::f32, {0, 3, 2}))).empty());
  check_equal(list<std::int32_t>(matmul(make<std::int32_t>({1, 2}, {-3, 2}),
                                        make<std::int32_t>({2, 1}, {4, 2147483647.0}))),
              {-14});
  CHECK_THROWS_AS(matmul(Value(DType::boolean, {1, 1}), Value(DType::boolean, {1, 1})),
                  ArgumentError);
}

TEST_CASE("reference: Conv on examples small enough to check by hand") {
  ConvAttrs line{ConvAttrs::out, 1, 1, {2}, {1}, {1}, {1}};
  const Value x = make<float>({1, 1, 5}, {1, 2, 3, 4, 5}), w = make<float>({1, 1, 3}, {1, 10, 100});
  check_equal(list<float>(compute(Op::Conv, &line, {x, w}, DType::f32, {1, 1, 3})), {210, 432, 54});
  line.role = ConvAttrs::grad_input;
  const Value y = make<float>({1, 1, 3}, {1, 2, 3});
  check_equal(list<float>(compute(Op::Conv, &line, {y, w}, DType::f32, {1, 1, 5})),
              {10, 102, 20, 203, 30});
  line.role = ConvAttrs::grad_weight;
  check_equal(list<float>(compute(Op::Conv, &line, {x, y}, DType::f32, {1, 1, 3})), {16, 22, 10});

  const ConvAttrs depthwise{ConvAttrs::out, 2, 2, {1, 1}, {0, 0}, {0, 1}, {1, 2}};
  const Value image = make<std::int32_t>({1, 2, 2, 3}, {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60});
  const Value kernel = make<std::int32_t>({2, 1, 2, 2}, {1, 2, 3, 4, 1, 0, 0, -1});
  check_equal(
      list<std::int32_t>(compute(Op::Conv, &depthwise, {image, kernel}, DType::i32, {1, 2, 1, 2})),
      {43, 17, -50, 20});
}

TEST_CASE("reference: the roles of Conv are one trilinear form") {
  struct Case {
    ConvAttrs attrs;
    Shape x, w, y;
  };
  const Case cases[] = {
      {{0, 1, 1, {1}, {0}, {0}, {1}}, {2, 3, 7}, {4, 3, 3}, {2, 4, 5}},
      {{0, 2, 1, {2, 3}, {1, 2}, {1, 0}, {2, 1}}, {2, 3, 9, 10}, {4, 3, 3, 4}, {2, 4, 4, 3}},
      {{0, 2, 3, {1, 2}, {1, 1}, {1, 1}, {1, 1}}, {1, 6, 5, 5}, {9, 2, 3, 3}, {1, 9, 5, 3}},
      {{0, 3, 2, {1, 2, 1}, {0, 3, 1}, {1, 3, 1}, {1, 1, 2}},
       {2, 4, 3, 4, 6},
       {2, 2, 2, 3, 2},
       {2, 2, 3, 4, 6}},
      {{0, 1, 1, {1}, {6}, {6}, {5}}, {1, 1, 2}, {1, 1, 3}, {1, 1, 4}},
      {{0, 2, 1, {1, 1}, {0, 0}, {0, 0}, {1, 1}}, {0, 2, 3, 3}, {2, 2, 1, 1}, {0, 2, 3, 3}}};
  for (const Case& c : cases) {
    const Value x = random_value(DType::f64, c.x, 8), w = random_value(DType::f64, c.w, 9),
                y = random_value(DType::f64, c.y, 10);
    ConvAttrs attrs = c.attrs;
    attrs.role = ConvAttrs::out;
    const double form = dot(y, compute(Op::Conv, &attrs, {x, w}, DType::f64, c.y));
    attrs.role = ConvAttrs::grad_input;
    CHECK(form == doctest::Approx(dot(x, compute(Op::Conv, &attrs, {y, w}, DType::f64, c.x))));
    attrs.role = ConvAttrs::grad_weight;
    CHECK(form == doctest::Approx(dot(w, compute(Op::Conv, &attrs, {x, y}, DType::f64, c.w))));
    CHECK((form != 0) == (c.x[0] > 0));
  }
}

TEST_CASE("reference: grouped 3-d Conv is a product with the windows of padded x") {
  const ConvAttrs attrs{ConvAttrs::out, 3, 2, {1, 2, 1}, {0, 3, 1}, {1, 3, 2}, {1, 1, 2}};
  const Shape shape_y{2, 6, 3, 4, 6};
  const Value x = random_value(DType::f64, {2, 4, 3, 4, 5}, 20);
  const Value w = random_value(DType::f64, {6, 2, 2, 3, 2}, 21);
  const PadAttrs pad{{0, 0, 0, 3, 1}, {0, 0, 1, 3, 2}, {}};
  const WindowAttrs window{3, {2, 3, 4}, {2, 3, 2}, {1, 2, 1}, {1, 1, 2}};
  const Value padded = compute(Op::Pad, &pad, {x}, DType::f64, {2, 4, 4, 10, 8});
  const std::vector<double> windows =
      list<double>(compute(Op::Window, &window, {padded}, DType::f64, {2, 4, 3, 4, 6, 2, 3, 2}));
  const std::vector<double> weights = list<double>(w);
  std::vector<double> expected;
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t channel = 0; channel < 6; ++channel)
      for (std::size_t position = 0; position < 3 * 4 * 6; ++position) {
        double sum = 0;
        for (std::size_t i = 0; i < 2; ++i)
          for (std::size_t k = 0; k < 12; ++k)
            sum += weights[(channel * 2 + i) * 12 + k] *
                   windows[((n * 4 + channel / 3 * 2 + i) * 72 + position) * 12 + k];
        expected.push_back(sum);
      }
  check_close(list<double>(compute(Op::Conv, &attrs, {x, w}, DType::f64, shape_y)), expected,
              1e-12);
}

TEST_CASE("reference: LU reconstructs the permuted matrix") {
  const Shape shape{3, 5, 5};
  Value a = random_value(DType::f64, shape, 11);
  std::fill_n(a.data<double>() + 25, 5, 0.0);  // the second matrix is singular
  auto outputs =
      compute_all(Op::LU, nullptr, {a}, {Value(DType::f64, shape), Value(DType::i32, {3, 5})});
  for (std::int64_t b = 0; b < 3; ++b) {
    const double* lu = outputs[0].data<double>() + b * 25;
    const std::int32_t* permutation = outputs[1].data<std::int32_t>() + b * 5;
    for (std::int64_t i = 0; i < 5; ++i)
      for (std::int64_t j = 0; j < 5; ++j) {
        double product = 0;
        for (std::int64_t k = 0; k <= std::min(i, j); ++k)
          product += (k == i ? 1 : lu[i * 5 + k]) * lu[k * 5 + j];
        CHECK(product == doctest::Approx(a.data<double>()[b * 25 + permutation[i] * 5 + j]));
        if (i > j) CHECK(std::abs(lu[i * 5 + j]) <= 1);
      }
  }
  CHECK(outputs[0].data<double>()[25 + 24] == 0);
  auto zero = compute_all(Op::LU, nullptr, {make<float>({2, 2}, {0, 0, 0, 0})},
                          {Value(DType::f32, {2, 2}), Value(DType::i32, {2})});
  check_equal(list<float>(zero[0]), {0, 0, 0, 0});
  check_equal(list<std::int32_t>(zero[1]), {0, 1});
  CHECK_NOTHROW(compute_all(Op::LU, nullptr, {Value(DType::f32, {2, 0, 0})},
                            {Value(DType::f32, {2, 0, 0}), Value(DType::i32, {2, 0})}));
}

TEST_CASE("reference: TriSolve reads one triangle and leaves no residual") {
  const std::int64_t n = 4;
  Value full = random_value(DType::f64, {2, n, n}, 12);
  for (std::int64_t i = 0; i < 2 * n; ++i) full.data<double>()[i * n + i % n] += 3;
  const Value b = random_value(DType::f64, {2, n, 3}, 13);
  for (std::int64_t bits = 0; bits < 8; ++bits) {
    const TriSolveAttrs attrs{bits & 1, bits >> 1 & 1, bits >> 2 & 1};
    Value triangle = full, poisoned = full;
    for (std::int64_t i = 0; i < 2 * n * n; ++i) {
      const std::int64_t row = i / n % n, column = i % n;
      if (attrs.unit_diagonal && row == column) {
        triangle.data<double>()[i] = 1;
        poisoned.data<double>()[i] = nan;
      } else if (attrs.lower ? column > row : column < row) {
        triangle.data<double>()[i] = 0;
        poisoned.data<double>()[i] = nan;
      }
    }
    const Value x = compute(Op::TriSolve, &attrs, {poisoned, b}, DType::f64, b.shape);
    check_close(list<double>(matmul(attrs.transpose ? transposed(triangle) : triangle, x)),
                list<double>(b), 1e-12);
  }
  const TriSolveAttrs lower{1, 0, 0};
  const Value tall = make<float>({2, 2}, {2, 0, 1, 4}), right = make<float>({2, 1}, {6, 11});
  check_equal(list<float>(compute(Op::TriSolve, &lower, {tall, right}, DType::f32, {2, 1})),
              {3, 2});
}

TEST_CASE("reference: Cholesky reads the lower triangle and marks what is not positive definite") {
  const Value root = random_value(DType::f64, {2, 6, 4}, 14);
  Value a = matmul(transposed(root), root);
  Value poisoned = a;
  for (std::int64_t i = 0; i < 32; ++i)
    if (i % 4 > i / 4 % 4) poisoned.data<double>()[i] = nan;
  const Value l = compute(Op::Cholesky, nullptr, {poisoned}, DType::f64, a.shape);
  check_close(list<double>(matmul(l, transposed(l))), list<double>(a), 1e-12);
  CHECK(list<double>(l)[1] == 0);
  const Value indefinite = make<float>({3, 3}, {4, 0, 0, 2, 1, 0, 1, 1, 9});
  check_equal(list<float>(compute(Op::Cholesky, nullptr, {indefinite}, DType::f32, {3, 3})),
              {2, 0, 0, nan, nan, 0, nan, nan, nan});
  CHECK(message_of([] {
          compute(Op::Cholesky, nullptr, {Value(DType::i32, {1, 1})}, DType::i32, {1, 1});
        }) == "[cholesky] does not accept i32");
}

}  // namespace
}  // namespace genera
