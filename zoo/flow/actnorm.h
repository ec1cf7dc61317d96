/// ActNorm (Kingma and Dhariwal, "Glow", 1807.03039, section 3.1).
#pragma once

#include "zoo/flow/bijection.h"

namespace genera::zoo::flow {

/// y = exp(log_scale) (x - mean), per channel of (B,C,H,W) or per number of (B,D). The first batch
/// that is seen in training starts it so that y has mean 0 and variance 1; afterwards both are
/// trained. Whether that has happened is a state, so that a checkpoint never starts it again.
class ActNorm : public Bijection {
 public:
  explicit ActNorm(std::int64_t channels);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(mean_, log_scale_, initialised_); }
  bool initialised() const { return initialised_.value().item<std::int32_t>() != 0; }

 private:
  State mean_, log_scale_, initialised_;
};

/// y = (x - mean) / deviation of each number of (B,D), with fixed figures of the training data.
class Standardise : public Bijection {
 public:
  explicit Standardise(std::int64_t size);
  void set(const std::vector<double>& mean, const std::vector<double>& deviation) const;
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(mean_, deviation_); }

 private:
  State mean_, deviation_;
};

}  // namespace genera::zoo::flow
