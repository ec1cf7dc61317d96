#include "backends/cpu/kernel_executor.h"

#include <genera/error.h>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/core/thread_pool.h"
#include "tests/kernel_generator.h"
#include "tests/kernel_oracle.h"
#include "tests/simd_targets.h"

namespace genera {
namespace {

using cpu::KernelExecutor;
using cpu::ScalarValue;
using oracle::Case;

std::vector<void*> pointers(const Case& c, std::vector<std::vector<std::uint8_t>>& memory) {
  std::vector<void*> result;
  for (const int m : c.memory_of) result.push_back(memory[static_cast<std::size_t>(m)].data());
  return result;
}

/// Equal bits, except that all NaNs are equal.
bool same(const Case& c, const std::vector<std::vector<std::uint8_t>>& a,
          const std::vector<std::vector<std::uint8_t>>& b) {
  for (std::size_t i = 0; i < c.kernel.buffers.size(); ++i) {
    const DType dtype = c.kernel.buffers[i];
    const auto m = static_cast<std::size_t>(c.memory_of[i]);
    if (a[m] == b[m]) continue;
    if (!is_floating(dtype)) return false;
    for (std::size_t j = 0; j < a[m].size() / size_of(dtype); ++j) {
      const std::uint32_t x = oracle::load(dtype, a[m].data(), static_cast<std::int64_t>(j));
      const std::uint32_t y = oracle::load(dtype, b[m].data(), static_cast<std::int64_t>(j));
      const bool nans = std::isnan(oracle::as_float(x)) && std::isnan(oracle::as_float(y));
      if (x != y && !nans) return false;
    }
  }
  return true;
}

int case_count() {
  const char* wanted = std::getenv("GENERA_TEST_CASES");
  return wanted != nullptr ? std::atoi(wanted) : 400;
}

TEST_CASE("kernel executor: random kernels have the oracle's bits on every target") {
  for_simd_targets([](const std::string& target) {
    int failures = 0;
    for (int seed = 0; seed < case_count() && failures < 5; ++seed) {
      const Case c = oracle::Generator(static_cast<std::uint64_t>(seed)).make();
      auto expected = c.memory, got = c.memory;
      oracle::Interpreter(c.kernel, c.scalars).run(pointers(c, expected));
      const KernelExecutor executor(c.kernel);
      executor.run(pointers(c, got), c.scalars);
      const bool equal = same(c, expected, got);
      CHECK_MESSAGE(equal, "seed ", seed, " on ", target);
      failures += !equal;
    }
  });
}

TEST_CASE("kernel executor: any number of threads gives the same bits") {
  const int before = thread_count();
  int failures = 0;
  for (int seed = 0; seed < case_count() / 2 && failures < 5; ++seed) {
    const Case c = oracle::Generator(static_cast<std::uint64_t>(seed) + 100000, 300000).make();
    const KernelExecutor executor(c.kernel);
    auto expected = c.memory;
    set_thread_count(1);
    executor.run(pointers(c, expected), c.scalars);
    for (int threads = 2; threads <= 4; ++threads) {
      auto got = c.memory;
      set_thread_count(threads);
      executor.run(pointers(c, got), c.scalars);
      const bool equal = same(c, expected, got);
      CHECK_MESSAGE(equal, "seed ", seed, " on ", threads, " threads");
      failures += !equal;
    }
  }
  set_thread_count(before);
}

/// A contiguous view of `extents`, with stride 0 along the dimensions that `broadcast` names.
AffineView contiguous(std::initializer_list<std::int64_t> extents,
                      std::initializer_list<int> broadcast = {}) {
  AffineView view;
  std::int64_t step = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    bool skip = false;
    for (const int b : broadcast) skip |= static_cast<std::size_t>(b) == d;
    if (skip) continue;
    view.stride[d] = step;
    step *= extents.begin()[d];
  }
  return view;
}

KernelInstr load(int buffer, const AffineView& view, bool kept = false) {
  KernelInstr instr;
  instr.op = KernelOp::Load;
  instr.imm = buffer;
  instr.view = view;
  instr.kept = kept;
  return instr;
}

KernelInstr compute(KernelOp op, int a, int b = -1, int c = -1, bool kept = false) {
  KernelInstr instr;
  instr.op = op;
  instr.a = static_cast<std::int16_t>(a);
  instr.b = static_cast<std::int16_t>(b);
  instr.c = static_cast<std::int16_t>(c);
  instr.kept = kept;
  return instr;
}

/// Sum of an (outer, length) matrix over its rows (row form) or of its transpose over columns.
Kernel sum_kernel(std::int64_t kept, std::int64_t reduced, bool row_form) {
  Kernel k;
  k.rank = 2;
  const std::size_t r = row_form ? 1 : 0;
  k.extents[r] = reduced;
  k.extents[1 - r] = kept;
  k.reduced[r] = true;
  k.buffers = {DType::f32, DType::f32};
  k.code.push_back(load(0, contiguous({k.extents[0], k.extents[1]})));
  k.code.push_back(compute(KernelOp::ReduceSum, 0, -1, -1, true));
  k.stores.push_back({1, 1, contiguous({k.extents[0], k.extents[1]}, {static_cast<int>(r)})});
  return k;
}

TEST_CASE("kernel executor: long sums match the order of the definition and are accurate") {
  const int before = thread_count();
  std::mt19937 random(1);
  struct Shape2 {
    std::int64_t kept, reduced;
  };
  for (const Shape2 shape :
       {Shape2{1, 1000003}, Shape2{3, 70001}, Shape2{100, 5003}, Shape2{2000, 300}}) {
    std::vector<float> x(static_cast<std::size_t>(shape.kept * shape.reduced));
    for (float& v : x) v = static_cast<float>(random() % 10000) * 1e-4f;
    for (const bool row_form : {true, false}) {
      if (!row_form && shape.kept == 1) continue;
      const KernelExecutor executor(sum_kernel(shape.kept, shape.reduced, row_form));
      for (int threads = 1; threads <= 4; ++threads) {
        set_thread_count(threads);
        std::vector<float> y(static_cast<std::size_t>(shape.kept));
        void* buffers[] = {x.data(), y.data()};
        executor.run(buffers, {});
        int wrong = 0;
        for (std::int64_t k = 0; k < shape.kept; ++k) {
          std::vector<oracle::Word> list;
          double exact = 0;
          for (std::int64_t r = 0; r < shape.reduced; ++r) {
            const float v =
                x[static_cast<std::size_t>(row_form ? k * shape.reduced + r : r * shape.kept + k)];
            list.push_back(oracle::bits(v));
            exact += static_cast<double>(v);
          }
          const oracle::Reduction sum{LaneType::f32, false, false};
          const float got = y[static_cast<std::size_t>(k)];
          wrong += sum.reduce(list, row_form) != oracle::bits(got);
          wrong += std::abs(static_cast<double>(got) - exact) > 2e-6 * exact;
        }
        CHECK_MESSAGE(wrong == 0, shape.kept, " x ", shape.reduced,
                      row_form ? " rows" : " columns");
      }
    }
  }
  set_thread_count(before);
}

TEST_CASE("kernel executor: a box holds the bits of the whole, and nothing else is written") {
  int boxes = 0, failures = 0;
  for (int seed = 0; boxes < case_count() && failures < 5; ++seed) {
    const Case c = oracle::Generator(static_cast<std::uint64_t>(seed) + 500000).make();
    const Kernel& k = c.kernel;
    bool reduces = false;
    for (const KernelInstr& instr : k.code)
      reduces |= instr.op == KernelOp::ReduceSum || instr.op == KernelOp::ReduceMax;
    for (int d = 0; d < k.rank; ++d) reduces |= k.reduced[static_cast<std::size_t>(d)];
    if (reduces) continue;
    ++boxes;
    const KernelExecutor executor(k);
    auto expected = c.memory, got = c.memory;
    executor.run(pointers(c, expected), c.scalars);
    // Two halves along a dimension in turn cover everything exactly once.
    const auto rank = static_cast<std::size_t>(k.rank);
    const std::size_t cut = rank == 0 ? 0 : static_cast<std::size_t>(seed) % rank;
    for (int part = 0; part < (rank == 0 ? 1 : 2); ++part) {
      std::array<std::int64_t, Shape::max_rank> begin{}, end = k.extents;
      if (rank > 0) (part == 0 ? end : begin)[cut] = k.extents[cut] / 3;
      executor.run_box(pointers(c, got), c.scalars, std::span(begin).first(rank),
                       std::span(end).first(rank));
    }
    const bool equal = same(c, expected, got);
    CHECK_MESSAGE(equal, "seed ", seed);
    failures += !equal;
  }
}

TEST_CASE("kernel executor: a buffer may hold nothing but the box") {
  constexpr std::int64_t rows = 6, cols = 40;
  Kernel k;
  k.rank = 2;
  k.extents = {rows, cols};
  k.buffers = {DType::f32, DType::f32, DType::f32};
  const AffineView all = contiguous({rows, cols});
  k.code = {load(0, all), load(1, all), compute(KernelOp::Add, 0, 1)};
  k.stores = {{2, 2, all}};
  std::vector<float> x(rows * cols), y(x.size()), whole(x.size()), got(x.size());
  std::iota(x.begin(), x.end(), 1.0f);
  std::iota(y.begin(), y.end(), 1000.0f);
  const std::int64_t begin[] = {2, 8}, end[] = {5, 30};
  std::vector<float> block(x.begin() + begin[0] * cols + begin[1],
                           x.begin() + (end[0] - 1) * cols + end[1]);
  void* in_whole[] = {x.data(), y.data(), whole.data()};
  void* in_block[] = {block.data(), y.data(), got.data()};
  const KernelExecutor executor(k);
  executor.run_box(in_whole, {}, begin, end);
  executor.run_box(in_block, {}, begin, end, 0);
  CHECK(got == whole);
  CHECK(got[2 * cols + 8] == x[2 * cols + 8] + y[2 * cols + 8]);
}

/// Softmax over axis 1 of (outer, length, inner): one of its four parts as a kernel of its own, or
/// (part 4) all in one.
Kernel softmax_part(std::array<std::int64_t, 3> e, int part) {
  Kernel k;
  k.rank = 3;
  for (std::size_t d = 0; d < 3; ++d) k.extents[d] = e[d];
  k.reduced[1] = true;
  const AffineView full = contiguous({e[0], e[1], e[2]}),
                   kept = contiguous({e[0], e[1], e[2]}, {1});
  k.buffers.assign(5, DType::f32);  // x, max, exp, sum, y
  k.code.push_back(load(0, full));
  if (part == 0) {  // max
    k.code.push_back(compute(KernelOp::ReduceMax, 0, -1, -1, true));
    k.stores = {{1, 1, kept}};
  } else if (part == 1) {  // exp(x - max)
    k.code.push_back(load(1, kept, true));
    k.code.push_back(compute(KernelOp::Neg, 1, -1, -1, true));
    k.code.push_back(compute(KernelOp::Add, 0, 2));
    k.code.push_back(compute(KernelOp::Exp, 3));
    k.stores = {{4, 2, full}};
  } else if (part == 2) {  // sum
    k.code[0] = load(2, full);
    k.code.push_back(compute(KernelOp::ReduceSum, 0, -1, -1, true));
    k.stores = {{1, 3, kept}};
  } else if (part == 3) {  // quotient
    k.code[0] = load(2, full);
    k.code.push_back(load(3, kept, true));
    k.code.push_back(compute(KernelOp::Div, 0, 1));
    k.stores = {{2, 4, full}};
  } else {
    k.code.push_back(compute(KernelOp::ReduceMax, 0, -1, -1, true));
    k.code.push_back(compute(KernelOp::Neg, 1, -1, -1, true));
    k.code.push_back(compute(KernelOp::Add, 0, 2));
    k.code.push_back(compute(KernelOp::Exp, 3));
    k.code.push_back(compute(KernelOp::ReduceSum, 4, -1, -1, true));
    k.code.push_back(compute(KernelOp::Div, 4, 5));
    k.stores = {{6, 4, full}};
  }
  return k;
}

TEST_CASE("kernel executor: softmax in one kernel has the bits of its parts") {
  const int before = thread_count();
  const std::array<std::int64_t, 3> shapes[] = {{4096, 10, 1},  {300, 512, 1}, {3, 5000, 1},
                                                {1, 200000, 1}, {8, 64, 1024}, {4, 7, 130},
                                                {1, 3000, 20},  {2, 1000, 7}};
  for (const auto& e : shapes) {
    const auto n = static_cast<std::size_t>(e[0] * e[1] * e[2]),
               m = static_cast<std::size_t>(e[0] * e[2]);
    std::vector<float> x(n), max(m), exponential(n), sum(m), parts(n), fused(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>((i * 7919) % 1001) * 0.01f;
    for (int threads = 1; threads <= 3; ++threads) {
      set_thread_count(threads);
      void* buffers[] = {x.data(), max.data(), exponential.data(), sum.data(), parts.data()};
      for (int part = 0; part < 4; ++part) KernelExecutor(softmax_part(e, part)).run(buffers, {});
      buffers[4] = fused.data();
      KernelExecutor(softmax_part(e, 4)).run(buffers, {});
      CHECK_MESSAGE(std::memcmp(parts.data(), fused.data(), n * 4) == 0, e[0], " x ", e[1], " x ",
                    e[2]);
    }
  }
  set_thread_count(before);
}

TEST_CASE("kernel executor: two buffers swapped in place") {
  Kernel k;
  k.rank = 1;
  k.extents[0] = 5000;
  k.buffers = {DType::f32, DType::f32};
  k.code = {load(0, contiguous({5000})), load(1, contiguous({5000})), compute(KernelOp::Neg, 0)};
  k.stores = {{1, 0, contiguous({5000})}, {2, 1, contiguous({5000})}};
  std::vector<float> a(5000, 1.0f), b(5000, 2.0f);
  void* buffers[] = {a.data(), b.data()};
  KernelExecutor(k).run(buffers, {});
  CHECK(a == std::vector<float>(5000, 2.0f));
  CHECK(b == std::vector<float>(5000, -1.0f));
}

TEST_CASE("kernel executor: an optimiser's step in place has the bits of its parts") {
  // v <- v b + g g, p <- p + g / (sqrt(v) + b), long enough for several parts and tiles of which the last are short.
  constexpr std::int64_t n = 70003;
  for (const bool square_first : {false, true}) {
    Kernel k;
    k.rank = 1;
    k.extents[0] = n;
    k.buffers = {DType::f32, DType::f32, DType::f32, DType::f32};
    const AffineView all = contiguous({n}), one;
    k.code = {load(0, all),
              load(1, all),
              load(2, one),
              load(3, all),
              compute(KernelOp::Mul, 0, 2),
              compute(KernelOp::Mul, 1, 1),
              square_first ? compute(KernelOp::Add, 5, 4) : compute(KernelOp::Add, 4, 5),
              compute(KernelOp::Sqrt, 6),
              compute(KernelOp::Add, 7, 2),
              compute(KernelOp::Div, 1, 8),
              compute(KernelOp::Add, 3, 9)};
    k.stores = {{6, 0, all}, {10, 3, all}};
    std::vector<float> v(n), g(n), b{0.9f}, p(n);
    for (std::size_t i = 0; i < v.size(); ++i) {
      v[i] = static_cast<float>(i % 1013) * 0.37f;
      g[i] = static_cast<float>(i % 509) * 0.11f - 20;
      p[i] = static_cast<float>(i % 97) - 48;
    }
    auto expected_v = v, expected_p = p;
    void* expected[] = {expected_v.data(), g.data(), b.data(), expected_p.data()};
    oracle::Interpreter(k, {}).run(expected);
    void* buffers[] = {v.data(), g.data(), b.data(), p.data()};
    KernelExecutor(k).run(buffers, {});
    CHECK(v == expected_v);
    CHECK(p == expected_p);
  }
}

TEST_CASE("kernel executor: reductions of nothing") {
  for (const bool row_form : {true, false}) {
    Kernel k = sum_kernel(3, 0, row_form);
    k.code.push_back(compute(KernelOp::ReduceMax, 0, -1, -1, true));
    k.buffers.push_back(DType::f32);
    k.stores.push_back({2, 2, k.stores[0].view});
    std::vector<float> sum(3, 7.0f), max(3, 7.0f);
    float nothing;
    void* buffers[] = {&nothing, sum.data(), max.data()};
    KernelExecutor(k).run(buffers, {});
    CHECK(sum == std::vector<float>(3, 0.0f));
    CHECK(max == std::vector<float>(3, -std::numeric_limits<float>::infinity()));
  }
}

TEST_CASE("kernel executor: malformed kernels are refused") {
  Kernel k = sum_kernel(3, 4, true);
  k.code[1].a = 1;
  CHECK_THROWS_AS(KernelExecutor{k}, ArgumentError);
  k = sum_kernel(3, 4, true);
  k.buffers[0] = DType::f64;
  CHECK_THROWS_AS(KernelExecutor{k}, ArgumentError);
  k = sum_kernel(3, 4, true);
  const KernelExecutor executor(k);
  std::vector<float> x(12), y(3);
  void* buffers[] = {x.data(), y.data()};
  const std::int64_t begin[] = {0, 0}, end[] = {1, 1};
  CHECK_THROWS_AS(executor.run_box(buffers, {}, begin, end), ArgumentError);
}

}  // namespace
TEST_CASE(
    "a copy that is broadcast along the outer dimension fills every tile of its destination") {
  // The load repeats every 119 elements, so tiles hold whole periods; the store takes them straight.
  Kernel kernel;
  kernel.rank = 3;
  kernel.extents = {40, 17, 7};
  kernel.buffers = {DType::f32, DType::f32};
  KernelInstr load;
  load.op = KernelOp::Load;
  load.imm = 0;
  load.view.stride = {0, 1, 0};
  kernel.code = {load};
  KernelStore store;
  store.value = 0;
  store.buffer = 1;
  store.view.stride = {119, 7, 1};
  kernel.stores = {store};
  std::vector<float> from(17), to(40 * 119, -1.0f);
  for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
  void* const buffers[] = {from.data(), to.data()};
  cpu::KernelExecutor(kernel).run(buffers, {});
  for (std::size_t i = 0; i < to.size(); ++i) REQUIRE(to[i] == from[i / 7 % 17]);
}

}  // namespace genera
