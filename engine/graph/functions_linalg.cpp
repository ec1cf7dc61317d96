// Linear algebra by factorisation.
#include "engine/graph/composite.h"

#include <fmt/format.h>

namespace genera {
namespace {

void check_square(std::string_view function, const Tensor& a) {
  check_floating(function, a);
  if (a.rank() < 2 || a.size(-1) != a.size(-2))
    fail(function, fmt::format("needs square matrices (B…,N,N), got {}", describe(a)));
}

Shape batch_of(const Tensor& x) {
  return Shape(x.shape().extents().first(static_cast<std::size_t>(x.rank() - 2)));
}

Tensor with_batch(const Tensor& x, const Shape& batch) {
  return broadcast_to(x, batch.appended(x.size(-2)).appended(x.size(-1)));
}

/// Matrices and right-hand sides in one batch; a right-hand side (N) becomes a column.
struct System {
  Tensor a;
  Tensor b;
  bool vector;
};

System checked_system(std::string_view function, const Tensor& a, const Tensor& b) {
  check_square(function, a);
  check_floating(function, a, b);
  const bool vector = b.rank() == 1;
  if (b.rank() == 0 || b.size(vector ? -1 : -2) != a.size(-1))
    fail(function, fmt::format("A {} needs B (B…,{},M) or ({}), got {}", describe(a), a.size(-1),
                               a.size(-1), describe(b)));
  const Tensor columns = vector ? unsqueeze(b, 1) : b;
  const Shape batch = broadcast_shape(function, batch_of(a), batch_of(columns));
  return {a, with_batch(columns, batch), vector};
}

/// Rows of b (B…,N,M) in the order of permutation (B…,N).
Tensor permute_rows(const Tensor& b, const Tensor& permutation) {
  if (b.rank() == 2) return gather(b, permutation, 0);
  const std::int64_t n = b.size(-2);
  const std::int64_t m = b.size(-1);
  const std::int64_t batch = permutation.elements() / std::max<std::int64_t>(1, n);
  const Tensor matrix = iota(Shape{batch, 1}, 0);
  const Tensor rows = add(reshape(permutation, Shape{batch, n}),
                          multiply(matrix, lit(matrix, static_cast<double>(n))));
  return reshape(gather(reshape(b, Shape{batch * n, m}), rows, 0), b.shape());
}

/// +1 or -1 for even and odd permutations (B…,N): (B…), by counting inversions.
Tensor parity(const Tensor& permutation, DType dtype) {
  const Tensor first = unsqueeze(permutation, -1);
  const Tensor second = unsqueeze(permutation, -2);
  const std::int64_t n = permutation.size(-1);
  const Shape square{n, n};
  const Tensor later = less(iota(square, 0), iota(square, 1));
  const Tensor inversions =
      sum(cast(logical_and(less(second, first), later), DType::i32), {-2, -1});
  const Tensor two = lit(inversions, 2);
  const Tensor odd = subtract(inversions, multiply(divide(inversions, two), two));
  return cast(subtract(lit(odd, 1), multiply(odd, two)), dtype);
}

}  // namespace

SlogDet slogdet(const Tensor& a) {
  check_square("slogdet", a);
  const auto [packed, permutation] = lu(a);
  const Tensor pivots = diagonal(packed);
  return {multiply(prod(sign(pivots), {-1}), parity(permutation, a.dtype())),
          sum(log(abs(pivots)), {-1})};
}

Tensor det(const Tensor& a) {
  check_square("det", a);
  const auto [packed, permutation] = lu(a);
  return multiply(prod(diagonal(packed), {-1}), parity(permutation, a.dtype()));
}

Tensor solve(const Tensor& a, const Tensor& b) {
  const System system = checked_system("solve", a, b);
  const auto [packed, permutation] = lu(system.a);
  const Shape batch = batch_of(system.b);
  const Tensor factors = with_batch(packed, batch);
  const Tensor order = broadcast_to(permutation, batch.appended(a.size(-1)));
  const Tensor y = solve_triangular(factors, permute_rows(system.b, order),
                                    {.lower = true, .transpose = false, .unit_diagonal = true});
  const Tensor x =
      solve_triangular(factors, y, {.lower = false, .transpose = false, .unit_diagonal = false});
  return system.vector ? squeeze(x, {-1}) : x;
}

Tensor inverse(const Tensor& a) {
  check_square("inverse", a);
  return solve(a, eye(a.size(-1), -1, a.dtype()));
}

Tensor cholesky_solve(const Tensor& factor, const Tensor& b) {
  const System system = checked_system("cholesky_solve", factor, b);
  const Tensor l = with_batch(system.a, batch_of(system.b));
  const Tensor y = solve_triangular(l, system.b, {.lower = true, .transpose = false});
  const Tensor x = solve_triangular(l, y, {.lower = true, .transpose = true});
  return system.vector ? squeeze(x, {-1}) : x;
}

Tensor cholesky_logdet(const Tensor& factor) {
  check_square("cholesky_logdet", factor);
  const Tensor half = sum(log(diagonal(factor)), {-1});
  return add(half, half);
}

}  // namespace genera
