#include "tests/conformance_check.h"

#include "backends/backend.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace genera::cases {
namespace {

using Tensors = std::vector<Tensor>;
constexpr double infinity = std::numeric_limits<double>::infinity();

double epsilon_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return 0x1p-52;
    case DType::f16:
      return 0x1p-10;
    case DType::bf16:
      return 0x1p-7;
    default:
      return 0x1p-23;
  }
}

/// What a primitive may be off, in units of its type's epsilon, relative to the larger of the
/// result and `scale` of the inputs: the sum of what is added up cancels, the terms' rounding
/// stays.
double tolerance_of(Op op) {
  switch (info(op).op_class) {
    case OpClass::Elementwise:
      return 4;
    case OpClass::Reduction:
    case OpClass::Scan:
      return 16;
    case OpClass::Movement:
    case OpClass::Index:
      return 8;  // Fold and ScatterAdd add
    case OpClass::Contraction:
      return 32;
    case OpClass::LinearAlgebra:
      return 128;
    case OpClass::Structure:
      return 8;
    case OpClass::Create:
      return 0;
  }
  return 0;
}

std::string first_difference(const Case& c, double tolerance, const std::vector<double>& got,
                             const std::vector<double>& expected, DType dtype, bool exact) {
  double scale = 1;
  for (const double e : expected)
    if (std::isfinite(e)) scale = std::max(scale, std::abs(e));
  const bool elementwise = info(c.op).op_class == OpClass::Elementwise;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = expected[i];
    bool same = std::isnan(e) ? std::isnan(got[i]) : got[i] == e;
    if (!same && !exact && std::isfinite(e)) {
      const double against = elementwise ? std::max(std::abs(e), 1e-30) : scale;
      same = std::abs(got[i] - e) <= tolerance * epsilon_of(dtype) * against;
    }
    if (!same)
      return fmt::format("{}: element {} is {}, the reference gives {}", c.name, i, got[i], e);
  }
  return {};
}

/// The expected value in the type's range and, for short floating types, rounded like it.
std::vector<double> rounded(const std::vector<double>& expected, DType dtype) {
  if (dtype == DType::f64 || !is_floating(dtype)) return expected;
  const OnBackend reference("reference");
  const Tensor wide = Tensor::from(expected, Shape{static_cast<std::int64_t>(expected.size())});
  return cast(cast(wide, dtype), DType::f64).to_vector<double>();
}

/// Special numbers for every pair of inputs.
const std::vector<double> specials{0.0,          -0.0,  1.0,    -1.5, infinity, -infinity,
                                   std::nan(""), 100.0, -100.0, 3e38, 1e-20};

}  // namespace

OnBackend::OnBackend(const char* wanted) : before_(current_backend().name()) {
  set_current_backend(wanted);
}
OnBackend::~OnBackend() { set_current_backend(before_); }

std::vector<std::vector<double>> values(const Tensors& outputs) {
  std::vector<std::vector<double>> result;
  for (const Tensor& y : outputs) result.push_back(cast(y, DType::f64).to_vector<double>());
  return result;
}

std::string compare(const char* backend, const Case& c, DType dtype) {
  const bool widen = is_floating(dtype);
  Tensors wide;
  for (const Tensor& x : c.inputs)
    wide.push_back(widen && x.dtype() == dtype ? detach(cast(x, DType::f64)) : x);
  Tensors got, expected;
  bool rounds_twice = false;
  {
    const OnBackend tested(backend);
    rounds_twice =
        current_backend().rounds_products() && info(c.op).op_class == OpClass::Contraction;
    got = c.build(c.inputs);
    eval(got);
  }
  std::vector<std::vector<double>> oracle;
  {
    const OnBackend reference("reference");
    expected = c.build(wide);
    eval(expected);
    oracle = values(expected);
  }
  const std::vector<std::vector<double>> result = values(got);
  const double tolerance = tolerance_of(c.op) * (rounds_twice ? 2 : 1);
  for (std::size_t k = 0; k < got.size(); ++k) {
    if (!(got[k].shape() == expected[k].shape())) return c.name + ": shapes differ";
    const bool exact = !is_floating(got[k].dtype()) || info(c.op).op_class == OpClass::Create;
    const std::string difference = first_difference(
        c, tolerance, result[k], rounded(oracle[k], got[k].dtype()), got[k].dtype(), exact);
    if (!difference.empty()) return difference;
  }
  return {};
}

Case special_case(Op op) {
  Case c;
  c.op = op;
  c.name = std::string(name(op)) + " of special numbers";
  const auto n = static_cast<std::int64_t>(specials.size());
  const auto of = [&](int axis) {
    const Tensor line = Tensor::from(specials, Shape{n});
    const Tensor grid = broadcast_to(axis == 0 ? reshape(line, {n, 1}) : line, {n, n});
    return detach(cast(grid, DType::f32));
  };
  // The generator's first case with two axes tells how the primitive is built.
  for (const Case& plain : cases_of(op, {.dtype = DType::f32}))
    if (plain.kind == "odd" && plain.inputs[0].rank() == 2) c.build = plain.build;
  const int inputs = info(op).inputs;
  c.inputs.push_back(op == Op::Select ? numbers({n, n}, 0, 1, 3, DType::boolean) : of(0));
  if (inputs > 1) c.inputs.push_back(of(1));
  if (inputs > 2) c.inputs.push_back(of(0));
  return c;
}

std::vector<Case> special_functions() {
  const std::vector<double> line{1, std::nan(""), 2, infinity, -infinity, 0.5};
  const std::vector<Build> functions{
      [](const Tensors& x) {
        return Tensors{sum(x[0], {1}), max(x[0], {1}), max(x[0], {0})};
      },
      [](const Tensors& x) {
        return Tensors{argmax(x[0], 1), argmax(x[0], 0), argsort(x[0], 1)};
      },
      [](const Tensors& x) {
        return Tensors{cumsum(x[0], 1), cummax(x[0], 1), cummax(x[0], 0, true)};
      },
      [](const Tensors& x) { return Tensors{matmul(x[0], transpose(x[0]))}; },
      [](const Tensors& x) { return Tensors{fold(x[0], Shape{7}, {0}, {2}, {1})}; }};
  std::vector<double> rows;
  for (int r = 0; r < 6; ++r)
    for (std::size_t k = 0; k < line.size(); ++k)
      rows.push_back(r < 3 || k > 2 ? line[(k + static_cast<std::size_t>(r)) % 6] : r);
  std::vector<Case> cases;
  for (std::size_t f = 0; f < functions.size(); ++f) {
    Case c;
    c.op = Op::ReduceSum;
    c.name = fmt::format("special numbers, function {}", f);
    c.build = functions[f];
    const Shape shape = f == 4 ? Shape{6, 2} : Shape{6, 6};
    c.inputs = {detach(cast(
        Tensor::from(std::vector<double>(rows.begin(), rows.begin() + shape.elements()), shape),
        DType::f32))};
    cases.push_back(std::move(c));
  }
  return cases;
}

}  // namespace genera::cases
