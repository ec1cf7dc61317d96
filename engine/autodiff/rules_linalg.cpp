#include <genera/ops.h>

#include "engine/autodiff/rules.h"
#include "engine/graph/attributes.h"

namespace genera::autodiff {
namespace {

enum class Part { lower, strictly_lower, upper, strictly_upper };

/// x with zeros outside a triangle of its last two axes.
Tensor triangle(const Tensor& x, Part part) {
  const Shape square{x.size(-2), x.size(-1)};
  const Tensor row = iota(square, 0);
  const Tensor column = iota(square, 1);
  Tensor inside;
  switch (part) {
    case Part::strictly_lower:
      inside = less(column, row);
      break;
    case Part::strictly_upper:
      inside = less(row, column);
      break;
    case Part::lower:
      inside = equal(less(row, column), full(square, 0, DType::boolean));
      break;
    case Part::upper:
      inside = equal(less(column, row), full(square, 0, DType::boolean));
      break;
  }
  return where(inside, x, zeros_like(x));
}

Tensor identity_like(const Tensor& x) {
  const Shape square{x.size(-2), x.size(-1)};
  return cast(equal(iota(square, 0), iota(square, 1)), x.dtype());
}

/// Rows of x (B…,N,M) in the order `permutation` (B…,N) says, or back from it.
Tensor rows_back(const Tensor& x, const Tensor& permutation) {
  const std::int64_t n = x.size(-2), m = x.size(-1);
  if (x.elements() == 0) return x;
  const std::int64_t batch = x.elements() / (n * m);
  const Tensor start =
      multiply(iota(Shape{batch, n}, 0), full(Shape{batch, n}, static_cast<double>(n), DType::i32));
  const Tensor rows = reshape(add(start, reshape(permutation, Shape{batch, n})), Shape{batch * n});
  const Tensor flat = reshape(x, Shape{batch * n, m});
  return reshape(scatter_set(zeros_like(flat), rows, flat), x.shape());
}

/// A[perm] = L U: A's cotangent is P^T L^-T [strict lower of L^T gL + upper of gU U^T] U^-T (Murray, "Differentiation of the
/// Cholesky decomposition", 2016, section 3 carries over; de Hoog et al., "The derivative of the LU factorization", 2011).
void lu_rule(const RuleInput& rule, std::span<Tensor> result) {
  if (!rule.g[0]) return;
  const Tensor& packed = rule.out[0];
  const Tensor unit = identity_like(packed);
  const Tensor l = add(triangle(packed, Part::strictly_lower), broadcast_to(unit, packed.shape()));
  const Tensor u = triangle(packed, Part::upper);
  const Tensor gl = triangle(rule.g[0], Part::strictly_lower);
  const Tensor gu = triangle(rule.g[0], Part::upper);
  const Tensor middle = add(triangle(matmul(transpose(l), gl), Part::strictly_lower),
                            triangle(matmul(gu, transpose(u)), Part::upper));
  const Tensor left =
      solve_triangular(packed, middle, {.lower = true, .transpose = true, .unit_diagonal = true});
  // left U^-T = (U^-1 left^T)^T
  const Tensor permuted = transpose(solve_triangular(packed, transpose(left), {.lower = false}));
  result[0] = rows_back(permuted, rule.out[1]);
}

/// op(A) X = B: gB = op(A)^-T g, gA = -gB X^T (transposed where op transposes), in A's triangle.
void tri_solve_rule(const RuleInput& rule, std::span<Tensor> result) {
  const auto& attrs = rule.attrs<TriSolveAttrs>();
  const Tensor& a = rule.in[0];
  const Tensor& x = rule.out[0];
  const bool lower = attrs.lower != 0, unit = attrs.unit_diagonal != 0,
             transposed = attrs.transpose != 0;
  const Tensor gb = solve_triangular(
      a, rule.cotangent(), {.lower = lower, .transpose = !transposed, .unit_diagonal = unit});
  if (rule.needed[1]) result[1] = gb;
  if (!rule.needed[0]) return;
  const Tensor ga = transposed ? matmul(x, transpose(gb)) : matmul(gb, transpose(x));
  const Part part = lower ? (unit ? Part::strictly_lower : Part::lower)
                          : (unit ? Part::strictly_upper : Part::upper);
  result[0] = negative(triangle(ga, part));
}

/// A = L L^T: gA = L^-T phi(L^T gL) L^-1, symmetrised; phi keeps the lower triangle and halves the diagonal (Murray 2016,
/// equation 8).
void cholesky_rule(const RuleInput& rule, std::span<Tensor> result) {
  const Tensor& l = rule.out[0];
  const Tensor product = matmul(transpose(l), rule.cotangent());
  const Tensor half_diagonal =
      multiply(product, multiply(broadcast_to(identity_like(l), l.shape()), full_like(l, 0.5)));
  const Tensor phi = add(triangle(product, Part::strictly_lower), half_diagonal);
  const Tensor left = solve_triangular(l, phi, {.lower = true, .transpose = true});
  // left L^-1 = (L^-T left^T)^T
  const Tensor s =
      transpose(solve_triangular(l, transpose(left), {.lower = true, .transpose = true}));
  result[0] = multiply(add(s, transpose(s)), full_like(s, 0.5));
}

}  // namespace

void linalg_rule(const RuleInput& rule, std::span<Tensor> result) {
  switch (rule.node.op()) {
    case Op::LU:
      lu_rule(rule, result);
      break;
    case Op::TriSolve:
      tri_solve_rule(rule, result);
      break;
    default:
      cholesky_rule(rule, result);
      break;
  }
}

}  // namespace genera::autodiff
