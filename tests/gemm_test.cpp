#include "backends/cpu/gemm.h"

#include <doctest/doctest.h>
#include <genera/error.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/gemm_kernels.h"
#include "tests/simd_targets.h"
#include "tests/thread_scope.h"

namespace genera::cpu {
namespace {

using Index = std::int64_t;

struct Sizes {
  Index m, n, k;
  Index batch = 1;
};

std::vector<float> random_floats(Index count, unsigned seed) {
  std::mt19937 bits(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = uniform(bits);
  return values;
}

// How one matrix lies in memory.
enum class Lay { rows, cols, padded_rows, padded_cols, strided };

MatrixView lay_out(Lay lay, Index rows, Index cols) {
  switch (lay) {
    case Lay::rows:
      return {nullptr, cols, 1, rows * cols};
    case Lay::cols:
      return {nullptr, 1, rows, rows * cols};
    case Lay::padded_rows:
      return {nullptr, cols + 5, 1, rows * (cols + 5) + 3};
    case Lay::padded_cols:
      return {nullptr, 1, rows + 3, cols * (rows + 3) + 7};
    case Lay::strided:
      return {nullptr, 2 * cols + 1, 2, rows * (2 * cols + 1)};
  }
  return {};
}

// One product with its memory, its f64 reference, and the guard values around C.
struct Problem {
  Problem(Index m, Index n, Index k, Index batch, Lay a_lay = Lay::rows, Lay b_lay = Lay::rows,
          Index c_pad = 0)
      : a(0), b(0) {
    gemm.m = m, gemm.n = n, gemm.k = k, gemm.batch = batch;
    gemm.engine = GemmEngine::own;
    gemm.a.matrix = lay_out(a_lay, m, k);
    gemm.b.matrix = lay_out(b_lay, k, n);
    a = random_floats(batch * gemm.a.matrix.batch_stride + 1, 1);
    b = random_floats(batch * gemm.b.matrix.batch_stride + 1, 2);
    gemm.c.row_stride = n + c_pad;
    gemm.c.batch_stride = m * gemm.c.row_stride;
    c.assign(static_cast<std::size_t>(batch * gemm.c.batch_stride + 64), kGuard);
    gemm.a.matrix.data = a.data();
    gemm.b.matrix.data = b.data();
    gemm.c.data = c.data();
  }

  Index offset(Index batch, Index m, Index n) const {
    const OutputView& view = gemm.c;
    const Index group = view.group == 0 ? gemm.n : view.group;
    return batch * view.batch_stride + m * view.row_stride + n / group * view.group_stride +
           n % group;
  }

  float a_at(Index i, Index m, Index k) const {
    const MatrixView& view = gemm.a.matrix;
    return view.data[i * view.batch_stride + m * view.row_stride + k * view.col_stride];
  }
  float b_at(Index i, Index k, Index n) const {
    const MatrixView& view = gemm.b.matrix;
    return view.data[i * view.batch_stride + k * view.row_stride + n * view.col_stride];
  }

  // Largest error in units of the bound k * eps * sum |a b|; infinite when memory outside C
  // changed.
  double error(const std::vector<float>& before, double scale = 1.0, double shift = 0.0) const {
    double worst = 0.0;
    std::vector<bool> inside(c.size(), false);
    for (Index i = 0; i < gemm.batch; ++i) {
      for (Index m = 0; m < gemm.m; ++m) {
        for (Index n = 0; n < gemm.n; ++n) {
          const auto at = static_cast<std::size_t>(offset(i, m, n));
          inside[at] = true;
          double sum = gemm.accumulate ? double(before[at]) : 0.0;
          double size = std::abs(sum) + 1e-30;
          for (Index k = 0; k < gemm.k; ++k) {
            const double product = double(a_at(i, m, k)) * double(b_at(i, k, n));
            sum += product;
            size += std::abs(product);
          }
          const double bound = double(gemm.k + 4) * 6e-8 * size * scale + std::abs(shift) * 1e-6;
          worst = std::max(worst, std::abs(double(c[at]) - (sum * scale + shift)) / bound);
        }
      }
    }
    for (std::size_t i = 0; i < c.size(); ++i) {
      if (!inside[i] && c[i] != before[i]) return HUGE_VAL;
    }
    return worst;
  }

  double run() {
    const std::vector<float> before = c;
    cpu::gemm(gemm);
    return error(before);
  }

  static constexpr float kGuard = 12345.0f;
  Gemm gemm;
  std::vector<float> a, b, c;
};

std::string name(const Gemm& gemm) {
  return std::to_string(gemm.m) + "x" + std::to_string(gemm.n) + "x" + std::to_string(gemm.k);
}

TEST_CASE("gemm: every edge of the tile, against f64 loops, on every target") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (Index m : {1, 2, 5, 6, 7, 13, 14, 15, 29, 43}) {
      for (Index n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65}) {
        for (Index k : {1, 2, 3, 17, 64}) {
          Problem problem(m, n, k, 1, Lay::rows, Lay::rows, n % 3);
          INFO(name(problem.gemm));
          CHECK(problem.run() < 1.0);
        }
      }
    }
  });
}

TEST_CASE("gemm: all layouts of A and B") {
  const Lay lays[] = {Lay::rows, Lay::cols, Lay::padded_rows, Lay::padded_cols, Lay::strided};
  for_simd_targets([&](const std::string& target) {
    INFO(target);
    for (Lay a : lays) {
      for (Lay b : lays) {
        for (const auto& [m, n, k, batch] : {Sizes{37, 53, 29},
                                             {5, 150, 40},
                                             {150, 5, 40},
                                             {128, 20, 70},
                                             {1, 64, 31},
                                             {64, 1, 31},
                                             {16, 16, 1}}) {
          for (bool accumulate : {false, true}) {
            Problem problem(m, n, k, batch, a, b, 3);
            problem.gemm.accumulate = accumulate;
            INFO(name(problem.gemm) << " lays " << int(a) << int(b) << " add " << accumulate);
            CHECK(problem.run() < 1.0);
          }
        }
      }
    }
  });
}

TEST_CASE("gemm: several passes over k, several blocks of rows and columns") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const auto& [m, n, k, batch] : {Sizes{17, 33, 1024},
                                         {17, 33, 1025},
                                         {30, 70, 2051},
                                         {3, 1100, 1030},
                                         {600, 40, 1100},
                                         {33, 17, 4099},
                                         {20, 20, 9001}}) {
      for (Lay a : {Lay::rows, Lay::cols}) {
        for (Lay b : {Lay::rows, Lay::cols}) {
          Problem problem(m, n, k, batch, a, b);
          problem.gemm.accumulate = a == b;
          INFO(name(problem.gemm) << " lays " << int(a) << int(b));
          CHECK(problem.run() < 1.0);
        }
      }
    }
  });
}

TEST_CASE("gemm: zero sizes") {
  for (const auto& [m, n, k, batch] : {Sizes{0, 3, 2}, {3, 0, 2}, {0, 0, 0}}) {
    Problem problem(m, n, k, batch);
    CHECK(problem.run() == 0.0);
  }
  Problem problem(3, 5, 0, 2);
  CHECK(problem.run() == 0.0);
  CHECK(problem.c[0] == 0.0f);
  problem.c.assign(problem.c.size(), 2.0f);
  problem.gemm.accumulate = true;
  CHECK(problem.run() == 0.0);
  CHECK(problem.c[0] == 2.0f);
  problem.gemm.m = -1;
  CHECK_THROWS_AS(gemm(problem.gemm), ArgumentError);
}

TEST_CASE("gemm: batches, with repeated operands") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (Index count : {2, 3, 7, 96}) {
      for (int repeat = 0; repeat < 4; ++repeat) {
        for (const auto& [m, n, k, batch] : {Sizes{9, 20, 11}, {1, 40, 13}, {40, 1, 13}}) {
          Problem problem(m, n, k, count, Lay::rows, repeat % 2 ? Lay::cols : Lay::rows);
          if (repeat & 1) problem.gemm.a.matrix.batch_stride = 0;
          if (repeat & 2) problem.gemm.b.matrix.batch_stride = 0;
          INFO(name(problem.gemm) << " batch " << count << " repeat " << repeat);
          CHECK(problem.run() < 1.0);
        }
      }
    }
  });
}

TEST_CASE("gemm: columns in groups") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (Index group : {1, 5, 16, 49, 64}) {
      for (Index images : {1, 2, 7}) {
        for (const auto& [m, unused, k, batch] :
             {Sizes{20, 0, 30}, {3, 0, 50}, {1, 0, 20}, {20, 0, 1030}}) {
          for (bool accumulate : {false, true}) {
            // Image by image, m rows of `group` pixels each.
            Problem problem(m, group * images + unused, k, batch, Lay::rows, Lay::cols);
            problem.gemm.accumulate = accumulate;
            problem.gemm.c.row_stride = group;
            problem.gemm.c.group = group;
            problem.gemm.c.group_stride = m * group;
            INFO(name(problem.gemm) << " group " << group);
            CHECK(problem.run() < 1.0);
          }
        }
      }
    }
  });
}

// Counts and scales each element.
class ScaleAndShift : public GemmEpilogue {
 public:
  explicit ScaleAndShift(const Problem& problem) : problem_(problem), visits_(problem.c.size()) {}

  void run(Index batch, Index row0, Index row1, Index col0, Index col1,
           float* block) const override {
    if (block != nullptr) in_scratch_ = true;
    for (Index m = row0; m < row1; ++m) {
      for (Index n = col0; n < col1; ++n) {
        const Index at = problem_.offset(batch, m, n);
        ++visits_[static_cast<std::size_t>(at)];
        float& c = problem_.gemm.c.data[at];
        c = (block == nullptr ? c : block[at - problem_.offset(batch, row0, col0)]) * 2.0f + 3.0f;
      }
    }
  }
  // Whether some block was not in C's own memory.
  bool in_scratch() const { return in_scratch_; }

  bool once_each() const {
    Index total = 0;
    for (const std::atomic<int>& visit : visits_) {
      if (visit > 1) return false;
      total += visit;
    }
    return total == problem_.gemm.batch * problem_.gemm.m * problem_.gemm.n;
  }

 private:
  const Problem& problem_;
  mutable std::vector<std::atomic<int>> visits_;
  mutable std::atomic<bool> in_scratch_{false};
};

TEST_CASE("gemm: the epilogue sees each finished element once") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (int threads : {1, 2, 3}) {
      const ThreadScope scope(threads);
      for (GemmEngine engine : {GemmEngine::own, GemmEngine::openblas}) {
        for (const auto& [m, n, k, batch] : {Sizes{100, 90, 40, 1},
                                             {300, 530, 7, 1},
                                             {128, 20, 400, 1},
                                             {9, 8, 7, 5},
                                             {1, 700, 50, 1},
                                             {700, 1, 50, 2},
                                             {16, 32, 5000, 1},
                                             {128, 3, 4500, 1},
                                             {20, 40, 2100, 1},
                                             {4, 4, 0, 1}}) {
          Problem problem(m, n, k, batch);
          const ScaleAndShift epilogue(problem);
          problem.gemm.epilogue = &epilogue;
          problem.gemm.engine = engine;
          const std::vector<float> before = problem.c;
          gemm(problem.gemm);
          INFO(name(problem.gemm) << " threads " << threads);
          CHECK(epilogue.once_each());
          CHECK(problem.error(before, 2.0, 3.0) < 1.0);
        }
      }
    }
  });
}

TEST_CASE("gemm: a product that only its epilogue needs may lie in scratch memory") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    // Columns that threads share by rows, blocks of few and of many rows, several blocks of columns.
    for (const auto& [m, n, k, batch] : {Sizes{784, 400, 20, 1},
                                         {400, 784, 9, 1},
                                         {128, 400, 30, 1},
                                         {3000, 17, 5, 1},
                                         {40, 5000, 6, 1},
                                         {2, 2, 3, 1}}) {
      for (const Lay lay : {Lay::rows, Lay::cols}) {
        for (const int threads : {1, 2, 3}) {
          const ThreadScope scope(threads);
          Problem problem(m, n, k, batch, lay, Lay::rows, 3);
          const ScaleAndShift epilogue(problem);
          problem.gemm.epilogue = &epilogue;
          problem.gemm.scratch_c = true;
          const std::vector<float> before = problem.c;
          gemm(problem.gemm);
          INFO(name(problem.gemm) << " threads " << threads);
          CHECK(epilogue.once_each());
          CHECK(problem.error(before, 2.0, 3.0) < 1.0);
          if (m * n > 10000 && n > m / 100) CHECK(epilogue.in_scratch());
        }
      }
    }
    // What adds to C, or passes over k several times, needs C's memory.
    Problem problem(300, 200, 1500, 1);
    const ScaleAndShift epilogue(problem);
    problem.gemm.epilogue = &epilogue;
    problem.gemm.scratch_c = true;
    const std::vector<float> before = problem.c;
    gemm(problem.gemm);
    CHECK_FALSE(epilogue.in_scratch());
    CHECK(problem.error(before, 2.0, 3.0) < 1.0);
  });
}

TEST_CASE("gemm: the same bits for any number of threads, and again") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (GemmEngine engine : {GemmEngine::automatic, GemmEngine::own, GemmEngine::openblas}) {
      for (const auto& [m, n, k, batch] : {Sizes{128, 400, 784, 1},
                                           {128, 20, 400, 1},
                                           {400, 40, 128, 1},
                                           {61, 67, 71, 3},
                                           {16, 32, 20000, 1},
                                           {100, 700, 1100, 1},
                                           {1, 3000, 500, 1},
                                           {3000, 1, 500, 1},
                                           {5, 1000, 300, 1},
                                           {64, 64, 64, 10}}) {
        for (Lay b : {Lay::rows, Lay::cols}) {
          Problem problem(m, n, k, batch, b == Lay::rows ? Lay::cols : Lay::rows, b);
          problem.gemm.engine = engine;
          std::vector<float> first;
          for (int threads : {1, 2, 3, 4, 4}) {
            const ThreadScope scope(threads);
            problem.c.assign(problem.c.size(), Problem::kGuard);
            gemm(problem.gemm);
            if (first.empty()) first = problem.c;
            INFO(name(problem.gemm) << " threads " << threads << " engine " << int(engine));
            CHECK(std::memcmp(first.data(), problem.c.data(), first.size() * sizeof(float)) == 0);
          }
        }
      }
    }
  });
}

TEST_CASE("gemm: threads of unequal speed give the same bits") {
  for (const int threads : {2, 3}) {
    const UnequalSpeeds unequal(threads);
    // Cut by columns, by rows, by columns with some left over, by batch; several blocks of columns.
    for (const auto& [m, n, k, batch] : {Sizes{128, 400, 784, 1},
                                         {784, 400, 128, 1},
                                         {128, 784, 400, 1},
                                         {64, 64, 64, 50},
                                         {90, 3000, 300, 1}}) {
      for (const Lay lay : {Lay::rows, Lay::cols}) {
        Problem problem(m, n, k, batch, lay, lay);
        const ScaleAndShift epilogue(problem);
        problem.gemm.epilogue = &epilogue;
        problem.gemm.scratch_c = true;
        std::vector<float> one;
        for (const int used : {1, threads}) {
          const ThreadScope scope(used);
          gemm(problem.gemm);
          if (one.empty()) one = problem.c;
          INFO(name(problem.gemm) << " threads " << used);
          CHECK(std::memcmp(one.data(), problem.c.data(), one.size() * sizeof(float)) == 0);
        }
      }
    }
  }
}

TEST_CASE("gemm: the own core gives the same bits on all targets with fused multiply-add") {
  for (const auto& [m, n, k, batch] :
       {Sizes{128, 400, 784, 1}, {61, 67, 71, 3}, {16, 32, 20000, 1}, {100, 20, 1100, 1}}) {
    Problem problem(m, n, k, batch, Lay::rows, Lay::cols);
    std::vector<float> first;
    for_simd_targets([&](const std::string& target) {
      INFO(target);
      if (gemm_kernels().lanes < 8) return;
      gemm(problem.gemm);
      if (first.empty()) first = problem.c;
      INFO(name(problem.gemm));
      CHECK(std::memcmp(first.data(), problem.c.data(), first.size() * sizeof(float)) == 0);
    });
  }
}

// Packs from a function of (batch, line, k), and checks what it is asked for.
class FunctionPacker : public PanelPacker {
 public:
  using Function = float (*)(Index batch, Index line, Index k);
  FunctionPacker(Function function, Index lines, Index k)
      : function_(function), lines_(lines), k_(k) {}

  void pack(Index batch, Index line0, Index count, Index width, Index k0, Index depth,
            float* out) const override {
    if (count < 1 || count > width || line0 + count > lines_ || k0 + depth > k_) ++bad_;
    for (Index k = 0; k < depth; ++k) {
      for (Index i = 0; i < width; ++i) {
        out[k * width + i] = i < count ? function_(batch, line0 + i, k0 + k) : 0.0f;
      }
    }
  }

  int bad() const { return bad_; }

 private:
  Function function_;
  Index lines_;
  Index k_;
  mutable std::atomic<int> bad_{0};
};

float a_value(Index batch, Index line, Index k) {
  return float((batch * 3 + line * 5 + k * 7) % 17 - 8);
}
float b_value(Index batch, Index line, Index k) {
  return float((batch * 2 + line * 3 + k * 11) % 13 - 6);
}

TEST_CASE("gemm: operands made by packers") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    for (const auto& [m, n, k, batch] : {Sizes{40, 100, 50, 1},
                                         {100, 9, 40, 2},
                                         {16, 18, 4200, 1},
                                         {1, 50, 20, 2},
                                         {50, 1, 20, 1},
                                         {20, 300, 1100, 1},
                                         {300, 20, 1030, 1}}) {
      for (int which = 1; which < 4; ++which) {
        Problem problem(m, n, k, batch);
        for (Index i = 0; i < batch; ++i) {
          for (Index kk = 0; kk < k; ++kk) {
            for (Index r = 0; r < m; ++r) {
              problem.a[static_cast<std::size_t>((i * m + r) * k + kk)] = a_value(i, r, kk);
            }
            for (Index c = 0; c < n; ++c) {
              problem.b[static_cast<std::size_t>((i * k + kk) * n + c)] = b_value(i, c, kk);
            }
          }
        }
        const FunctionPacker a(a_value, m, k);
        const FunctionPacker b(b_value, n, k);
        if (which & 1) problem.gemm.a.packer = &a;
        if (which & 2) problem.gemm.b.packer = &b;
        INFO(name(problem.gemm) << " packers " << which);
        CHECK(problem.run() < 1e-6);
        CHECK(a.bad() == 0);
        CHECK(b.bad() == 0);
      }
    }
  });
}

TEST_CASE("gemm: OpenBLAS agrees with the own core") {
  CHECK(openblas_works());
  for (const auto& [m, n, k, batch] : {Sizes{128, 400, 784}, {300, 530, 100}, {7, 9, 2000}}) {
    for (Lay a : {Lay::rows, Lay::cols, Lay::padded_rows}) {
      for (Lay b : {Lay::rows, Lay::cols, Lay::padded_cols}) {
        for (bool accumulate : {false, true}) {
          Problem problem(m, n, k, 2, a, b, 3);
          problem.gemm.accumulate = accumulate;
          problem.gemm.engine = GemmEngine::openblas;
          INFO(name(problem.gemm) << " lays " << int(a) << int(b));
          CHECK(problem.run() < 1.0);
        }
      }
    }
  }
}

TEST_CASE("gemm: NaN and infinity go through, padding adds none") {
  for_simd_targets([](const std::string& target) {
    INFO(target);
    Problem problem(15, 33, 20, 1);
    problem.a[3 * 20 + 5] = NAN;
    problem.b[7 * 33 + 32] = INFINITY;
    gemm(problem.gemm);
    for (Index m = 0; m < 15; ++m) {
      for (Index n = 0; n < 33; ++n) {
        const float value = problem.c[static_cast<std::size_t>(m * 33 + n)];
        CHECK(std::isnan(value) == (m == 3));
        if (m != 3) CHECK(std::isinf(value) == (n == 32));
      }
    }
  });
}

}  // namespace
}  // namespace genera::cpu
