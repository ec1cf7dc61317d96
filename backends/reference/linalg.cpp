// Factorisations and triangular solves of batches of small matrices, computed in f64 and rounded
// once.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "backends/reference/element.h"
#include "backends/reference/kernels.h"
#include "engine/graph/attributes.h"

namespace genera::reference {
namespace {

/// A row-major matrix in f64.
class Matrix {
 public:
  Matrix(std::int64_t rows, std::int64_t columns)
      : columns_(columns), values_(static_cast<std::size_t>(rows * columns)) {}

  double* operator[](std::int64_t row) { return values_.data() + row * columns_; }
  const double* operator[](std::int64_t row) const { return values_.data() + row * columns_; }

  template <class T>
  void read(const T* from) {
    for (double& value : values_) value = load_accumulator(*from++);
  }
  template <class T>
  void write(T* to) const {
    for (const double value : values_) *to++ = store<T>(value);
  }

 private:
  std::int64_t columns_;
  std::vector<double> values_;
};

/// Number of matrices in (B…,M,N).
std::int64_t batches_of(const Shape& shape) {
  std::int64_t batches = 1;
  for (int d = 0; d < shape.rank() - 2; ++d) batches *= shape[d];
  return batches;
}

/// Gaussian elimination with partial pivoting, in place: a[permutation] = L U, with L's unit
/// diagonal left out (Golub and Van Loan, Matrix Computations, algorithm 3.4.1). A column without a
/// pivot leaves a zero on U's diagonal.
void factor_lu(std::int64_t n, Matrix& a, std::int32_t* permutation) {
  std::iota(permutation, permutation + n, 0);
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < n; ++i)
      if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
    if (pivot != k) {
      std::swap_ranges(a[k], a[k] + n, a[pivot]);
      std::swap(permutation[k], permutation[pivot]);
    }
    if (a[k][k] == 0) continue;
    for (std::int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i][k] /= a[k][k];
      for (std::int64_t j = k + 1; j < n; ++j) a[i][j] -= factor * a[k][j];
    }
  }
}

/// x (n, columns) becomes the solution of op(A) X = x, by substitution over rows.
void substitute(std::int64_t n, std::int64_t columns, const TriSolveAttrs& attrs, const Matrix& a,
                Matrix& x) {
  const bool forward = (attrs.lower != 0) != (attrs.transpose != 0);
  for (std::int64_t step = 0; step < n; ++step) {
    const std::int64_t i = forward ? step : n - 1 - step;
    for (std::int64_t known = 0; known < step; ++known) {
      const std::int64_t k = forward ? known : n - 1 - known;
      const double factor = attrs.transpose ? a[k][i] : a[i][k];
      for (std::int64_t j = 0; j < columns; ++j) x[i][j] -= factor * x[k][j];
    }
    if (attrs.unit_diagonal) continue;
    for (std::int64_t j = 0; j < columns; ++j) x[i][j] /= a[i][i];
  }
}

/// l = the lower factor of l's lower triangle, row by row (Cholesky-Banachiewicz), zeros above the
/// diagonal. From the first row without a positive pivot on, the lower triangle is NaN.
void factor_cholesky(std::int64_t n, Matrix& l) {
  bool positive = true;
  for (std::int64_t i = 0; i < n; ++i) {
    double rest = l[i][i];
    for (std::int64_t j = 0; j < i && positive; ++j) {
      double sum = l[i][j];
      for (std::int64_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i][j] = sum / l[j][j];
      rest -= l[i][j] * l[i][j];
    }
    positive = positive && rest > 0;
    l[i][i] = std::sqrt(rest);
    if (!positive) std::fill_n(l[i], i + 1, std::numeric_limits<double>::quiet_NaN());
    std::fill(l[i] + i + 1, l[i] + n, 0.0);
  }
}

template <class T>
void compute_lu(const Arguments& call) {
  const Shape& shape = call.input_shape(0);
  const std::int64_t n = shape[shape.rank() - 1];
  Matrix a(n, n);
  for (std::int64_t batch = 0; batch < batches_of(shape); ++batch) {
    a.read(call.input<T>(0) + batch * n * n);
    factor_lu(n, a, call.output<std::int32_t>(1) + batch * n);
    a.write(call.output<T>(0) + batch * n * n);
  }
}

template <class T>
void compute_tri_solve(const Arguments& call) {
  const Shape& shape = call.input_shape(1);
  const std::int64_t n = shape[shape.rank() - 2];
  const std::int64_t columns = shape[shape.rank() - 1];
  Matrix a(n, n), x(n, columns);
  for (std::int64_t batch = 0; batch < batches_of(shape); ++batch) {
    a.read(call.input<T>(0) + batch * n * n);
    x.read(call.input<T>(1) + batch * n * columns);
    substitute(n, columns, call.as<TriSolveAttrs>(), a, x);
    x.write(call.output<T>(0) + batch * n * columns);
  }
}

template <class T>
void compute_cholesky(const Arguments& call) {
  const Shape& shape = call.input_shape(0);
  const std::int64_t n = shape[shape.rank() - 1];
  Matrix l(n, n);
  for (std::int64_t batch = 0; batch < batches_of(shape); ++batch) {
    l.read(call.input<T>(0) + batch * n * n);
    factor_cholesky(n, l);
    l.write(call.output<T>(0) + batch * n * n);
  }
}

}  // namespace

void compute_linear_algebra(const Arguments& call) {
  visit<Accepts::Floating>(call.op, call.inputs[0].dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    switch (call.op) {
      case Op::LU:
        return compute_lu<T>(call);
      case Op::TriSolve:
        return compute_tri_solve<T>(call);
      case Op::Cholesky:
        return compute_cholesky<T>(call);
      default:
        throw_unsupported(call.op, call.inputs[0].dtype);
    }
  });
}

}  // namespace genera::reference
