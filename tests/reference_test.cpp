// The reference primitives against values worked out by hand and against identities between them.
#include "tests/reference_harness.h"

namespace genera {
namespace {

using namespace reference_harness;

/// Elementwise: the output is like the last input unless a dtype is given.
Value map(Op op, std::vector<Value> inputs) {
  const DType dtype = op == Op::Less || op == Op::Equal ? DType::boolean : inputs.back().dtype;
  const Shape shape = inputs.back().shape;
  return compute(op, nullptr, std::move(inputs), dtype, shape);
}

TEST_CASE("reference: every elementwise primitive runs on every dtype it accepts and no other") {
  int rows = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    if (!is_elementwise(op) || op == Op::Cast) continue;
    ++rows;
    for (int t = 0; t < dtype_count; ++t) {
      const DType dtype = static_cast<DType>(t);
      const Accepts accepts = info(op).accepts;
      const bool allowed = is_floating(dtype) || accepts == Accepts::Any ||
                           (accepts == Accepts::Numeric && dtype != DType::boolean);
      for (const Shape& shape : {Shape{}, Shape{0, 3}, Shape{2, 1, 3}}) {
        std::vector<Value> inputs(static_cast<std::size_t>(info(op).inputs), Value(dtype, shape));
        if (op == Op::Select) inputs[0] = Value(DType::boolean, shape);
        CAPTURE(name(op));
        CAPTURE(name(dtype));
        if (allowed) {
          CHECK_NOTHROW(map(op, inputs));
        } else {
          CHECK_THROWS_AS(map(op, inputs), ArgumentError);
        }
      }
    }
  }
  CHECK(rows > 15);
  CHECK(message_of([] { map(Op::Exp, {Value(DType::i32, {2})}); }) == "[exp] does not accept i32");
}

TEST_CASE("reference: floating elementwise values") {
  const auto f64 = [](Op op, double x) {
    return list<double>(map(op, {make<double>({}, {x})}))[0];
  };
  CHECK(f64(Op::Neg, 2) == -2);
  CHECK(f64(Op::Exp, 1) == doctest::Approx(2.718281828459045));
  CHECK(f64(Op::Expm1, 1e-20) == 1e-20);
  CHECK(f64(Op::Log, 0) == -inf);
  CHECK(f64(Op::Log1p, 1e-20) == 1e-20);
  CHECK(f64(Op::Sqrt, 6.25) == 2.5);
  CHECK(f64(Op::Sin, 0.5) == doctest::Approx(0.479425538604203));
  CHECK(f64(Op::Tanh, 0.5) == doctest::Approx(0.46211715726000973));
  CHECK(f64(Op::Sigmoid, 0) == 0.5);
  CHECK(f64(Op::Sigmoid, -800) == 0);
  CHECK(f64(Op::Sigmoid, -700) == doctest::Approx(std::exp(-700.0)).epsilon(1e-12));
  CHECK(f64(Op::Sigmoid, 800) == 1);
  CHECK(std::isnan(f64(Op::Sigmoid, nan)));
  CHECK(f64(Op::Erf, 0.5) == doctest::Approx(0.5204998778130465));
  CHECK(f64(Op::Floor, -1.5) == -2);
  const Value a = make<float>({4}, {1, nan, -3, 0}), b = make<float>({4}, {2, 1, nan, 0});
  check_equal(list<float>(map(Op::Max, {a, b})), {2, nan, nan, 0});
  check_equal(list<bool>(map(Op::Less, {a, b})), {1, 0, 0, 0});
  check_equal(list<bool>(map(Op::Equal, {a, b})), {0, 0, 0, 1});
  check_equal(list<float>(map(Op::Div, {make<float>({2}, {1, -1}), make<float>({2}, {0, 4})})),
              {inf, -0.25});
  const double eps = std::numeric_limits<float>::epsilon();
  const Value fused =
      map(Op::Fma, {make<float>({}, {1 + eps}), make<float>({}, {1 - eps}), make<float>({}, {-1})});
  CHECK(list<float>(fused)[0] == -eps * eps);
}

TEST_CASE("reference: half precision computes in f32 and rounds once") {
  const Value y = map(Op::Add, {make<float16>({2}, {2048, 1}), make<float16>({2}, {1, 0x1p-11})});
  check_equal(list<float16>(y), {2048, 1});
  const Value z = map(Op::Mul, {make<bfloat16>({}, {1.5}), make<bfloat16>({}, {3})});
  check_equal(list<bfloat16>(z), {4.5});
}

TEST_CASE("reference: integers wrap, divide towards minus infinity, and compare by sign") {
  const double low = -2147483648.0, high = 2147483647.0;
  const Value a = make<std::int32_t>({4}, {high, low, 7, -7});
  const Value b = make<std::int32_t>({4}, {1, -1, -2, 0});
  check_equal(list<std::int32_t>(map(Op::Add, {a, b})), {low, high, 5, -7});
  check_equal(list<std::int32_t>(map(Op::Mul, {a, b})), {high, low, -14, 0});
  check_equal(list<std::int32_t>(map(Op::Div, {a, b})), {high, low, -4, 0});
  check_equal(list<std::int32_t>(map(Op::Neg, {a})), {-high, low, -7, 7});
  check_equal(list<bool>(map(Op::Less, {a, b})), {0, 1, 0, 1});
  check_equal(list<std::int32_t>(map(Op::Max, {a, b})), {high, -1, 7, 0});
  const Value u = make<std::uint8_t>({3}, {200, 3, 9}), v = make<std::uint8_t>({3}, {100, 0, 4});
  check_equal(list<std::uint8_t>(map(Op::Add, {u, v})), {44, 3, 13});
  check_equal(list<std::uint8_t>(map(Op::Neg, {u})), {56, 253, 247});
  check_equal(list<std::uint8_t>(map(Op::Div, {u, v})), {2, 0, 2});
  Value big = make<std::int64_t>({}, {1});
  big.data<std::int64_t>()[0] = std::numeric_limits<std::int64_t>::min();
  Value quotient = map(Op::Div, {big, make<std::int64_t>({}, {-1})});
  CHECK(quotient.data<std::int64_t>()[0] == std::numeric_limits<std::int64_t>::min());
  const Value p = make<bool>({4}, {0, 0, 1, 1}), q = make<bool>({4}, {0, 1, 0, 1});
  check_equal(list<bool>(map(Op::Mul, {p, q})), {0, 0, 0, 1});
  check_equal(list<bool>(map(Op::Max, {p, q})), {0, 1, 1, 1});
  check_equal(list<bool>(map(Op::Less, {p, q})), {0, 1, 0, 0});
  check_equal(list<bool>(map(Op::Select, {p, q, map(Op::Equal, {p, q})})), {1, 0, 0, 1});
  check_equal(list<std::int32_t>(map(Op::Select, {p, a, b})), {1, -1, 7, -7});
}

TEST_CASE("reference: Cast truncates, saturates, wraps and tests for zero") {
  const auto cast = [](const Value& x, DType to) {
    return compute(Op::Cast, nullptr, {x}, to, x.shape);
  };
  const Value x = make<float>({8}, {1.9, -1.9, 3e9, -3e9, nan, inf, -inf, 255.5});
  check_equal(list<std::int32_t>(cast(x, DType::i32)),
              {1, -1, 2147483647.0, -2147483648.0, 0, 2147483647.0, -2147483648.0, 255});
  check_equal(list<std::uint8_t>(cast(x, DType::u8)), {1, 0, 255, 0, 0, 255, 0, 255});
  check_equal(list<std::uint32_t>(cast(x, DType::u32)), {1, 0, 3e9, 0, 0, 4294967295.0, 0, 255});
  Value wide = cast(x, DType::i64);
  CHECK(wide.data<std::int64_t>()[5] == std::numeric_limits<std::int64_t>::max());
  CHECK(wide.data<std::int64_t>()[6] == std::numeric_limits<std::int64_t>::min());
  check_equal(list<bool>(cast(make<double>({4}, {0, -0.0, 0.25, nan}), DType::boolean)),
              {0, 0, 1, 1});
  check_equal(list<bool>(cast(make<std::int32_t>({2}, {0, 256}), DType::boolean)), {0, 1});
  check_equal(list<std::uint8_t>(cast(make<std::int32_t>({2}, {-1, 257}), DType::u8)), {255, 1});
  check_equal(list<std::int32_t>(cast(make<std::uint32_t>({1}, {4294967295.0}), DType::i32)), {-1});
  check_equal(list<float16>(cast(make<double>({3}, {0.1, 70000, -2}), DType::f16)),
              {0.0999755859375, inf, -2});
  check_equal(list<bfloat16>(cast(make<bool>({2}, {0, 1}), DType::bf16)), {0, 1});
  for (int from = 0; from < dtype_count; ++from)
    for (int to = 0; to < dtype_count; ++to)
      CHECK_NOTHROW(cast(Value(static_cast<DType>(from), {3, 0}), static_cast<DType>(to)));
}

TEST_CASE("reference: Const, Iota, Reshape and Barrier") {
  const ConstAttrs half{0.5, 7};
  check_equal(list<double>(compute(Op::Const, &half, {}, DType::f64, {})), {0.5});
  check_equal(list<bfloat16>(compute(Op::Const, &half, {}, DType::bf16, {})), {0.5});
  check_equal(list<std::int64_t>(compute(Op::Const, &half, {}, DType::i64, {})), {7});
  check_equal(list<bool>(compute(Op::Const, &half, {}, DType::boolean, {})), {1});
  const IotaAttrs axis{1};
  check_equal(list<std::int32_t>(compute(Op::Iota, &axis, {}, DType::i32, {2, 3, 1})),
              {0, 1, 2, 0, 1, 2});
  check_equal(list<float>(compute(Op::Iota, &axis, {}, DType::f32, {2, 0, 4})), {});
  const Value x = make<float16>({2, 3}, {1, 2, 3, 4, 5, 6});
  check_equal(list<float16>(compute(Op::Reshape, nullptr, {x}, DType::f16, {3, 2})),
              list<float16>(x));
  const BarrierAttrs barrier{1};
  check_equal(list<float16>(compute(Op::Barrier, &barrier, {x, x}, DType::f16, {2, 3})),
              list<float16>(x));
  CHECK(message_of([&] { compute(Op::Leaf, nullptr, {}, DType::f32, {}); }) ==
        "[leaf] is not computed by a kernel");
  CHECK_THROWS_AS(compute(Op::Call, nullptr, {x}, DType::f32, {}), ArgumentError);
  CHECK_THROWS_AS(compute(Op::MatMul, nullptr, {x}, DType::f32, {}), ArgumentError);
}

TEST_CASE("reference: Random is Philox4x32-10 in element order") {
  const auto random = [](std::int64_t key, RandomAttrs::Kind kind, DType dtype, Shape shape) {
    Value key_value(DType::i64, {});
    key_value.data<std::int64_t>()[0] = key;
    const RandomAttrs attrs{kind};
    return compute(Op::Random, &attrs, {key_value}, dtype, shape);
  };
  // The first block is the known answer of Random123's kat_vectors for counter 0 and key 0.
  check_equal(list<std::uint32_t>(random(0, RandomAttrs::bits, DType::u32, {2, 2})),
              {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  check_equal(list<std::uint32_t>(random(0x299f31d0a4093822, RandomAttrs::bits, DType::u32, {7})),
              {0x0e847852, 0xaddb136a, 0x59b5ba7a, 0x7062ac6b, 0xf9a58d27, 0xa8e41926, 0xf1a18f40});
  check_equal(list<float>(random(0, RandomAttrs::uniform, DType::f32, {3})),
              {0x6627e8 * 0x1p-24, 0xe169c5 * 0x1p-24, 0xbc57ac * 0x1p-24});
  CHECK(list<float>(random(1, RandomAttrs::uniform, DType::f32, {0})).empty());
  CHECK_THROWS_AS(random(1, RandomAttrs::uniform, DType::i32, {1}), ArgumentError);
}

TEST_CASE("reference: ReduceSum") {
  const auto sum = [](const Value& x, std::uint64_t axes, Shape shape) {
    const ReduceAttrs attrs{axes};
    return compute(Op::ReduceSum, &attrs, {x}, x.dtype, shape);
  };
  const Value x = make<float>({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  check_equal(list<float>(sum(x, 0b010, {2, 1, 2})), {9, 12, 27, 30});
  check_equal(list<float>(sum(x, 0b101, {1, 3, 1})), {18, 26, 34});
  check_equal(list<float>(sum(x, 0b111, {1, 1, 1})), {78});
  check_equal(list<float>(sum(x, 0, {2, 3, 2})), list<float>(x));
  check_equal(list<float>(sum(make<float>({3}, {1e8, 1, -1e8}), 1, {1})), {1});
  check_equal(list<float16>(sum(make<float16>({3}, {2048, 1, 1}), 1, {1})), {2050});
  check_equal(list<double>(sum(Value(DType::f64, {2, 0}), 2, {2, 1})), {0, 0});
  check_equal(list<double>(sum(make<double>({}, {3}), 0, {})), {3});
  check_equal(list<std::uint8_t>(sum(make<std::uint8_t>({3}, {200, 100, 1}), 1, {1})), {45});
  check_equal(list<std::int32_t>(sum(make<std::int32_t>({2}, {2147483647.0, 2}), 1, {1})),
              {-2147483647.0});
  CHECK(message_of([&] { sum(Value(DType::boolean, {2}), 1, {1}); }) ==
        "[reduce_sum] does not accept bool");
}

TEST_CASE("reference: ReduceMax and ArgMax") {
  const auto reduce = [](Op op, const Value& x, std::uint64_t axes, Shape shape) {
    const ReduceAttrs attrs{axes};
    return compute(op, &attrs, {x}, op == Op::ArgMax ? DType::i32 : x.dtype, shape);
  };
  const Value x = make<double>({3, 3}, {1, nan, -inf, 4, 4, -inf, 2, nan, -inf});
  check_equal(list<double>(reduce(Op::ReduceMax, x, 1, {1, 3})), {4, nan, -inf});
  check_equal(list<double>(reduce(Op::ReduceMax, x, 2, {3, 1})), {nan, 4, nan});
  check_equal(list<std::int32_t>(reduce(Op::ArgMax, x, 1, {1, 3})), {1, 0, 0});
  check_equal(list<std::int32_t>(reduce(Op::ArgMax, x, 2, {3, 1})), {1, 0, 1});
  check_equal(list<float>(reduce(Op::ReduceMax, Value(DType::f32, {2, 0}), 2, {2, 1})),
              {-inf, -inf});
  check_equal(list<std::uint8_t>(reduce(Op::ReduceMax, Value(DType::u8, {0}), 1, {1})), {0});
  const Value i = make<std::int32_t>({4}, {-5, -2, -9, -2});
  check_equal(list<std::int32_t>(reduce(Op::ReduceMax, i, 1, {1})), {-2});
  check_equal(list<std::int32_t>(reduce(Op::ArgMax, i, 1, {1})), {1});
  const Value any = make<bool>({2, 2}, {0, 0, 0, 1});
  check_equal(list<bool>(reduce(Op::ReduceMax, any, 2, {2, 1})), {0, 1});
  check_equal(list<std::int32_t>(reduce(Op::ArgMax, any, 2, {2, 1})), {0, 1});
  CHECK_THROWS_AS(reduce(Op::ArgMax, Value(DType::f32, {2, 0}), 2, {2, 1}), ArgumentError);
}

TEST_CASE("reference: Scan in both directions") {
  const auto scan = [](const Value& x, ScanAttrs attrs) {
    return compute(Op::Scan, &attrs, {x}, x.dtype, x.shape);
  };
  const Value x = make<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  check_equal(list<float>(scan(x, {ScanAttrs::sum, 1, 0})), {1, 3, 6, 4, 9, 15});
  check_equal(list<float>(scan(x, {ScanAttrs::sum, 1, 1})), {6, 5, 3, 15, 11, 6});
  check_equal(list<float>(scan(x, {ScanAttrs::sum, 0, 0})), {1, 2, 3, 5, 7, 9});
  check_equal(list<float>(scan(Value(DType::f32, {2, 0}), {ScanAttrs::sum, 1, 0})), {});
  const Value m = make<double>({5}, {-inf, -1, nan, 7, 2});
  check_equal(list<double>(scan(m, {ScanAttrs::max, 0, 0})), {-inf, -1, nan, nan, nan});
  check_equal(list<double>(scan(m, {ScanAttrs::max, 0, 1})), {nan, nan, nan, 7, 2});
  const Value i = make<std::int32_t>({4}, {-3, -7, 2, 1});
  check_equal(list<std::int32_t>(scan(i, {ScanAttrs::max, 0, 0})), {-3, -3, 2, 2});
  const Value bytes = make<std::uint8_t>({2}, {200, 100});
  check_equal(list<std::uint8_t>(scan(bytes, {ScanAttrs::sum, 0, 0})), {200, 44});
  const ScanAttrs log_add_exp{ScanAttrs::log_add_exp, 0, 0};
  std::vector<double> logs = list<double>(
      scan(make<double>({5}, {-inf, -inf, std::log(2), std::log(3), 1000}), log_add_exp));
  check_equal({logs[0], logs[1]}, {-inf, -inf});
  check_close({logs[2], logs[3], logs[4]}, {std::log(2), std::log(5), 1000}, 1e-15);
  check_equal(list<double>(scan(make<double>({4}, {0, inf, -inf, nan}), log_add_exp)),
              {0, inf, inf, nan});
  CHECK_THROWS_AS(scan(i, log_add_exp), ArgumentError);
}

TEST_CASE("reference: ArgSort is stable and puts NaN last") {
  const auto sort = [](const Value& x, std::int64_t axis) {
    const AxisAttrs attrs{axis};
    return list<std::int32_t>(compute(Op::ArgSort, &attrs, {x}, DType::i32, x.shape));
  };
  check_equal(sort(make<float>({7}, {2, nan, 1, 2, -inf, nan, 1}), 0), {4, 2, 6, 0, 3, 1, 5});
  check_equal(sort(make<double>({3, 2}, {3, 1, 1, 1, 2, 0}), 0), {1, 2, 2, 0, 0, 1});
  check_equal(sort(make<std::int64_t>({2, 2}, {5, -5, 1, 2}), 1), {1, 0, 0, 1});
  check_equal(sort(make<bool>({3}, {1, 0, 0}), 0), {1, 2, 0});
  check_equal(sort(Value(DType::f32, {0, 3}), 0), {});
}

TEST_CASE("reference: Permute, Broadcast, Slice, Concat") {
  const Value x = make<std::uint8_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const PermuteAttrs swap{{1, 0}};
  check_equal(list<std::uint8_t>(compute(Op::Permute, &swap, {x}, DType::u8, {3, 2})),
              {1, 4, 2, 5, 3, 6});
  const Value y = make<double>({2, 1, 1}, {1, 2});
  check_equal(list<double>(compute(Op::Broadcast, nullptr, {y}, DType::f64, {2, 2, 3})),
              {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2});
  const SliceAttrs backwards{{1, 2}, {-1, -2}};
  check_equal(list<std::uint8_t>(compute(Op::Slice, &backwards, {x}, DType::u8, {2, 2})),
              {6, 4, 3, 1});
  const SliceAttrs unit{{}, {1, 1}};
  const auto moved = [&](double row, double column) {
    const Value start = make<std::int32_t>({2}, {row, column});
    return list<std::uint8_t>(compute(Op::Slice, &unit, {x, start}, DType::u8, {1, 2}));
  };
  check_equal(moved(1, 1), {5, 6});
  check_equal(moved(-4, 9), {2, 3});
  const ConcatAttrs columns{1, 0};
  check_equal(
      list<std::uint8_t>(compute(
          Op::Concat, &columns,
          {x, make<std::uint8_t>({2, 1}, {7, 8}), Value(DType::u8, {2, 0}), x}, DType::u8, {2, 7})),
      {1, 2, 3, 7, 1, 2, 3, 4, 5, 6, 8, 4, 5, 6});
}

TEST_CASE("reference: Concat with plus_zero leaves no negative zero") {
  for (const std::int64_t plus_zero : {0, 1}) {
    const ConcatAttrs attrs{0, plus_zero};
    Value x = compute(Op::Concat, &attrs, {make<float16>({1}, {-0.0}), make<float16>({1}, {-2})},
                      DType::f16, {2});
    CHECK(x.data<float16>()[0].bits == (plus_zero ? 0 : 0x8000));
    check_equal(list<float16>(x), {0, -2});
    CHECK_NOTHROW(compute(Op::Concat, &attrs, {Value(DType::boolean, {1})}, DType::boolean, {1}));
  }
}

TEST_CASE("reference: Permute of large and of many axes agrees with its definition") {
  const Shape shape{3, 1, 70, 2, 65};
  const Value x = random_value(DType::f32, shape, 1);
  const PermuteAttrs attrs{{4, 2, 0, 1, 3}};
  const std::vector<double> in = list<float>(x);
  const std::vector<double> out =
      list<float>(compute(Op::Permute, &attrs, {x}, DType::f32, {65, 70, 3, 1, 2}));
  std::size_t at = 0, wrong = 0;
  for (std::size_t e = 0; e < 65; ++e)
    for (std::size_t c = 0; c < 70; ++c)
      for (std::size_t a = 0; a < 3; ++a)
        for (std::size_t d = 0; d < 2; ++d)
          wrong += out[at++] != in[((a * 70 + c) * 2 + d) * 65 + e];
  CHECK(wrong == 0);
}

TEST_CASE("reference: Pad, and Slice as its adjoint") {
  const PadAttrs attrs{{1, 0}, {0, 2}, {1, 2}};
  const Value x = make<float>({2, 2}, {1, 2, 3, 4});
  check_equal(list<float>(compute(Op::Pad, &attrs, {x}, DType::f32, {4, 6})),
              {0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 4, 0, 0});
  check_equal(
      list<float>(compute(Op::Pad, &attrs, {Value(DType::f32, {0, 1})}, DType::f32, {1, 3})),
      {0, 0, 0});
  const SliceAttrs slice{{1, 0}, {2, 3}};
  const Value u = random_value(DType::f64, {2, 2}, 2), v = random_value(DType::f64, {4, 6}, 3);
  const double padded = dot(compute(Op::Pad, &attrs, {u}, DType::f64, {4, 6}), v);
  CHECK(padded == doctest::Approx(dot(u, compute(Op::Slice, &slice, {v}, DType::f64, {2, 2}))));
}

TEST_CASE("reference: Window, and Fold as its adjoint") {
  const WindowAttrs attrs{1, {1}, {2}, {2}, {3}};
  const Value x = make<std::int32_t>({1, 6}, {0, 1, 2, 3, 4, 5});
  check_equal(list<std::int32_t>(compute(Op::Window, &attrs, {x}, DType::i32, {1, 2, 2})),
              {0, 3, 2, 5});
  const WindowAttrs overlap{1, {0}, {3}, {1}, {1}};
  const Value ones = make<float16>({3, 3}, std::vector<double>(9, 1));
  check_equal(list<float16>(compute(Op::Fold, &overlap, {ones}, DType::f16, {5})), {1, 2, 3, 2, 1});
  check_equal(
      list<float>(compute(Op::Fold, &overlap, {Value(DType::f32, {0, 3})}, DType::f32, {2})),
      {0, 0});
  struct Case {
    WindowAttrs attrs;
    Shape whole, windows;
  };
  const Case cases[] = {{{2, {2, 3}, {3, 2}, {2, 1}, {1, 3}}, {2, 3, 9, 40}, {2, 3, 4, 37, 3, 2}},
                        {{2, {1, 0}, {2, 3}, {3, 1}, {1, 2}}, {7, 8}, {3, 3, 2, 3}},
                        {{1, {0}, {1}, {1}, {1}}, {5}, {5, 1}}};
  for (const Case& c : cases) {
    const Value u = random_value(DType::f64, c.whole, 4),
                v = random_value(DType::f64, c.windows, 5);
    const double windowed = dot(compute(Op::Window, &c.attrs, {u}, DType::f64, c.windows), v);
    const double folded = dot(u, compute(Op::Fold, &c.attrs, {v}, DType::f64, c.whole));
    CHECK(windowed == doctest::Approx(folded).epsilon(1e-12));
  }
}

TEST_CASE("reference: Gather, ScatterAdd and SliceUpdate") {
  const GatherAttrs axis{1};
  const Value x = make<float>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const Value indices = make<std::int32_t>({2, 1}, {2, 0});
  check_equal(list<float>(compute(Op::Gather, &axis, {x, indices}, DType::f32, {2, 2, 1, 2})),
              {4, 5, 0, 1, 10, 11, 6, 7});
  const Value scalar = make<std::int32_t>({}, {1});
  check_equal(list<float>(compute(Op::Gather, &axis, {x, scalar}, DType::f32, {2, 2})),
              {2, 3, 8, 9});
  CHECK(message_of([&] {
          const GatherAttrs first{0};
          compute(Op::Gather, &first,
                  {Value(DType::f32, {10}), make<std::int32_t>({4}, {1, 9, 0, 12})}, DType::f32,
                  {4});
        }) == "[gather] index 12 at position 3 is outside [0,10)");

  const ScatterAttrs add{0, ScatterAttrs::add}, set{0, ScatterAttrs::set};
  const Value base = make<float16>({3, 2}, {1, 1, 1, 1, 1, 1});
  const Value twice = make<std::int32_t>({3}, {2, 0, 2});
  const Value updates = make<float16>({3, 2}, {1, 2, 3, 4, 5, 6});
  check_equal(
      list<float16>(compute(Op::ScatterAdd, &add, {base, twice, updates}, DType::f16, {3, 2})),
      {4, 5, 1, 1, 7, 9});
  const Value once = make<std::int32_t>({3}, {2, 0, 1});
  check_equal(
      list<float16>(compute(Op::ScatterAdd, &set, {base, once, updates}, DType::f16, {3, 2})),
      {3, 4, 5, 6, 1, 2});
  CHECK(message_of([&] {
          compute(Op::ScatterAdd, &add, {base, make<std::int32_t>({3}, {0, -1, 0}), updates},
                  DType::f16, {3, 2});
        }) == "[scatter_add] index -1 at position 1 is outside [0,3)");

  const SliceUpdateAttrs at{{1, 1}};
  const Value square = make<std::int64_t>({2, 3}, {0, 0, 0, 0, 0, 0});
  const Value update = make<std::int64_t>({1, 2}, {7, 8});
  check_equal(
      list<std::int64_t>(compute(Op::SliceUpdate, &at, {square, update}, DType::i64, {2, 3})),
      {0, 0, 0, 0, 7, 8});
  const Value start = make<std::int32_t>({2}, {-1, 5});
  check_equal(list<std::int64_t>(
                  compute(Op::SliceUpdate, &at, {square, update, start}, DType::i64, {2, 3})),
              {0, 7, 8, 0, 0, 0});
}

TEST_CASE("reference: Gather and ScatterAdd are adjoint") {
  const Value x = random_value(DType::f64, {3, 5, 2}, 6),
              y = random_value(DType::f64, {3, 2, 3, 2}, 7);
  const Value indices = make<std::int32_t>({2, 3}, {4, 4, 0, 1, 4, 3});
  const GatherAttrs gather{1};
  const ScatterAttrs scatter{1, ScatterAttrs::add};
  const Value zeros = make<double>({3, 5, 2}, std::vector<double>(30, 0));
  const double forward = dot(compute(Op::Gather, &gather, {x, indices}, DType::f64, y.shape), y);
  const double backward =
      dot(x, compute(Op::ScatterAdd, &scatter, {zeros, indices, y}, DType::f64, x.shape));
  CHECK(forward == doctest::Approx(backward));
}

}  // namespace
}  // namespace genera
