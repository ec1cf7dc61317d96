// The f32 kernels of the table's rows against its `reference` in f64, within its `ulp`, and the
// conversions; on every SIMD target.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "backends/cpu/tile_kernels.h"
#include "backends/reference/arithmetic.h"
#include "tests/simd_targets.h"

namespace genera {
namespace {

/// |got - exact| in units of the last place of the f32 nearest to `exact`; 0 where both are NaN or
/// the same infinity.
double error_in_ulp(float got, double exact) {
  if (std::isnan(exact) || std::isnan(got)) return std::isnan(exact) && std::isnan(got) ? 0 : 1e30;
  const auto rounded = static_cast<float>(exact);
  if (std::isinf(got) || std::isinf(rounded)) return got == rounded ? 0 : 1e30;
  if (exact == 0) return got == 0 && std::signbit(got) == std::signbit(exact) ? 0 : 1e30;
  const double ulp = std::ldexp(1.0, std::max(std::ilogb(exact) - 23, -149));
  return std::abs(static_cast<double>(got) - exact) / ulp;
}

/// A unary row of the table.
struct Function {
  const char* name;
  KernelOp op;
  double (*exact)(double);
  double bound;  ///< in units in the last place; f64's own rounding comes on top
};

double bound_of(Op op) { return info(op).ulp * (1 + 1e-6); }

using namespace reference;  // for the expressions of the table

const Function functions[] = {
#define GENERA_UNARY(Name, function, types, reference, ...) \
  {#Name, KernelOp::Name, [](double x) -> double { return reference; }, bound_of(Op::Name)},
#include "engine/graph/primitives.def"
};

/// A binary row, or a comparison, whose kernel gives integers.
struct BinaryFunction {
  const char* name;
  KernelOp op;
  double (*exact)(double, double);
  double bound;
  bool compares;
};

const BinaryFunction binary_functions[] = {
#define GENERA_BINARY(Name, function, types, reference, ...)                      \
  {#Name, KernelOp::Name, [](double a, double b) -> double { return reference; }, \
   bound_of(Op::Name), info(Op::Name).compares},
#include "engine/graph/primitives.def"
};

cpu::TileFn f32_kernel(KernelOp op) {
  return cpu::tile_function(cpu::tile_op(op, LaneType::f32), 0);
}

/// Every `step`-th f32, the two zeros, infinities, NaN and the neighbours of 1.
std::vector<float> arguments(std::uint32_t step) {
  std::vector<float> x = {0.0f,
                          -0.0f,
                          1.0f,
                          -1.0f,
                          std::nextafter(1.0f, 0.0f),
                          std::nextafter(-1.0f, 0.0f),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN(),
                          1e-45f,
                          -1e-45f,
                          88.72284f,
                          -103.97208f};
  for (std::uint64_t bits = 0; bits < 0x100000000u; bits += step)
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (std::uint32_t bits = 0x3c000000u; bits < 0x42c80000u;
       bits += step / 16 + 1) {  // 2^-7 to 100
    x.push_back(std::bit_cast<float>(bits));
    x.push_back(-std::bit_cast<float>(bits));
  }
  return x;
}

std::uint32_t grid_step() {
  const char* wanted = std::getenv("GENERA_TEST_GRID");
  return wanted != nullptr ? static_cast<std::uint32_t>(std::atoi(wanted)) : 40009;
}

TEST_CASE("kernel math: functions are within their bounds") {
  const std::vector<float> x = arguments(grid_step());
  for_simd_targets([&](const std::string& target) {
    std::vector<float> y(x.size());
    for (const Function& f : functions) {
      f32_kernel(f.op)(y.data(), x.data(), nullptr, nullptr, x.size());
      double worst = 0;
      float where = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double error = error_in_ulp(y[i], f.exact(static_cast<double>(x[i])));
        if (error > worst) {
          worst = error;
          where = x[i];
        }
      }
      CHECK_MESSAGE(worst <= f.bound, std::string(f.name), " on ", target, ": ", worst, " ulp at ",
                    where);
      if (std::getenv("GENERA_TEST_GRID") != nullptr)
        MESSAGE(std::string(f.name), " on ", target, ": ", worst, " ulp at ", where);
    }
  });
}

TEST_CASE("kernel math: functions of two numbers are within their bounds") {
  std::vector<float> a, b;
  const std::vector<float> x = arguments(0x1000003);
  for (const float p : x)
    for (const float q : x) {
      a.push_back(p);
      b.push_back(q);
    }
  for_simd_targets([&](const std::string& target) {
    std::vector<float> y(a.size());
    for (const BinaryFunction& f : binary_functions) {
      f32_kernel(f.op)(y.data(), a.data(), b.data(), nullptr, a.size());
      double worst = 0;
      std::size_t where = 0;
      for (std::size_t i = 0; i < a.size(); ++i) {
        const float got = f.compares ? static_cast<float>(std::bit_cast<std::int32_t>(y[i])) : y[i];
        const double error =
            error_in_ulp(got, f.exact(static_cast<double>(a[i]), static_cast<double>(b[i])));
        if (error > worst) {
          worst = error;
          where = i;
        }
      }
      CHECK_MESSAGE(worst <= f.bound, std::string(f.name), " on ", target, ": ", worst, " ulp at ",
                    a[where], ", ", b[where]);
    }
  });
}

TEST_CASE("kernel math: an element has the same bits wherever it lies in a tile") {
  for_simd_targets([](const std::string& target) {
    std::vector<float> x(67), whole(67), part(67);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) * 0.37f - 11.0f;
    for (const Function& f : functions) {
      const cpu::TileFn function = f32_kernel(f.op);
      function(whole.data(), x.data(), nullptr, nullptr, x.size());
      bool same = true;
      for (std::size_t begin = 0; begin < 20; ++begin)
        for (std::size_t n = 1; begin + n <= x.size(); n += 3) {
          function(part.data(), x.data() + begin, nullptr, nullptr, n);
          for (std::size_t i = 0; i < n; ++i)
            same &= std::bit_cast<std::uint32_t>(part[i]) ==
                        std::bit_cast<std::uint32_t>(whole[begin + i]) ||
                    (std::isnan(part[i]) && std::isnan(whole[begin + i]));
        }
      CHECK_MESSAGE(same, std::string(f.name), " on ", target);
    }
  });
}

template <class Half>
void check_half(DType dtype, const std::string& target) {
  std::vector<Half> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> wide(halves.size());
  cpu::convert_kernels(dtype).load(wide.data(), halves.data(), halves.size());
  int wrong = 0;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    const auto expected = static_cast<float>(halves[i]);
    wrong += !(expected == wide[i] || (std::isnan(expected) && std::isnan(wide[i])));
  }
  CHECK_MESSAGE(wrong == 0, name(dtype), " loads on ", target);
  const std::vector<float> x = arguments(40009);
  std::vector<Half> narrow(x.size());
  cpu::convert_kernels(dtype).store(narrow.data(), x.data(), x.size());
  wrong = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Half expected(x[i]);
    wrong += !(expected.bits == narrow[i].bits || (std::isnan(static_cast<float>(expected)) &&
                                                   std::isnan(static_cast<float>(narrow[i]))));
  }
  CHECK_MESSAGE(wrong == 0, name(dtype), " stores on ", target);
}

TEST_CASE("kernel math: f16 and bf16 round to nearest even") {
  for_simd_targets([](const std::string& target) {
    check_half<float16>(DType::f16, target);
    check_half<bfloat16>(DType::bf16, target);
  });
}

}  // namespace
}  // namespace genera
