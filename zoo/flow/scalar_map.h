/// Strictly increasing maps of single numbers, whose parameters a network gives: what couplings and
/// autoregressive flows apply to each number ("transformers" in Papamakarios et al., 1912.02762,
/// section 3.1).
///
/// Letters: P parameters of a number; S… the shape of an example.
#pragma once

#include <genera/tensor.h>

#include <cstdint>

namespace genera::zoo::flow {

/// f(x) and log df/dx of each number.
struct ScalarMapped {
  Tensor value;
  Tensor log_derivative;
};

class ScalarMap {
 public:
  virtual ~ScalarMap() = default;
  /// P. With all parameters 0 the map is the identity.
  virtual std::int64_t parameters() const = 0;
  /// x (B,S…), parameters (B,P,S…).
  virtual ScalarMapped map(const Tensor& x, const Tensor& parameters) const = 0;
  virtual Tensor inverse(const Tensor& z, const Tensor& parameters) const = 0;
};

/// f(x) = x exp(s) + t (Dinh et al., "Real NVP", 1605.08803, equation 4) with the log-scale s =
/// bound tanh(r / bound): a network that errs cannot overflow it. Parameters (t, r).
class AffineMap : public ScalarMap {
 public:
  explicit AffineMap(double bound = 3) : bound_(bound) {}
  std::int64_t parameters() const override { return 2; }
  ScalarMapped map(const Tensor& x, const Tensor& parameters) const override;
  Tensor inverse(const Tensor& z, const Tensor& parameters) const override;

 private:
  Tensor log_scale(const Tensor& parameters) const;
  double bound_;
};

/// The monotone rational-quadratic spline (Durkan et al., "Neural spline flows", 1906.04032, section
/// 3.1) of `bins` bins on [-bound, bound], and the identity outside. Parameters: `bins` widths,
/// `bins` heights, before their softmax, and bins - 1 derivatives at the inner knots, before their
/// softplus; at the outer knots the derivative is 1.
class SplineMap : public ScalarMap {
 public:
  SplineMap(std::int64_t bins, double bound) : bins_(bins), bound_(bound) {}
  std::int64_t parameters() const override { return 3 * bins_ - 1; }
  ScalarMapped map(const Tensor& x, const Tensor& parameters) const override;
  Tensor inverse(const Tensor& z, const Tensor& parameters) const override;

 private:
  struct Bin;
  struct Knots;
  Knots knots(const Tensor& parameters) const;
  Bin bin_of(const Tensor& x, const Tensor& at, const Knots& knots) const;
  std::int64_t bins_;
  double bound_;
};

}  // namespace genera::zoo::flow
