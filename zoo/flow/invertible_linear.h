/// The invertible 1x1 convolution (Kingma and Dhariwal, "Glow", 1807.03039, section 3.2), which on
/// vectors is an invertible matrix.
#pragma once

#include <genera/random.h>

#include "zoo/flow/bijection.h"

namespace genera::zoo::flow {

/// y = W x at every position of (B,C,H,W), or of a vector (B,C), W any invertible matrix: its
/// log-determinant is H W log|det W| (equation 9), computed by LU at every step. Starts as a random
/// rotation.
class PlainLinear : public Bijection {
 public:
  PlainLinear(std::int64_t channels, const Key& key);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(weight_); }

 private:
  State weight_;
};

/// The same with W = P L (U + diag(s)) (equation 10): P a fixed permutation, L lower triangular with
/// ones on its diagonal, U strictly upper triangular, the signs of s fixed. Its log-determinant is
/// H W sum(log|s|) (equation 11).
class LuLinear : public Bijection {
 public:
  LuLinear(std::int64_t channels, const Key& key);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override {
    visitor(permutation_, sign_, lower_, upper_, log_scale_);
  }

 private:
  Tensor weight() const;
  State permutation_, sign_, lower_, upper_, log_scale_;
};

}  // namespace genera::zoo::flow
