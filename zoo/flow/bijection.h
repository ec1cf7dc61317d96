/// Bijections with tractable Jacobians: what normalising flows are chained of (Rezende and Mohamed,
/// 1505.05770; Papamakarios et al., "Normalizing flows for probabilistic modeling and inference",
/// 1912.02762).
///
/// Letters: B batch; D numbers of a vector; C, H, W channels, height and width of an image.
#pragma once

#include <genera/nn.h>
#include <genera/tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace genera::zoo::flow {

/// f(x) of a batch, and log |det df/dx| of each example: value (B,…), log_det (B).
struct Mapped {
  Tensor value;
  Tensor log_det;
};

/// An invertible map of examples, from data towards noise.
class Bijection : public nn::Module {
 public:
  /// x (B,…) -> f(x). With a training context a layer whose start depends on data declares its
  /// first parameters, once.
  virtual Mapped map(const Tensor& x, Context& context) const = 0;
  /// z (B,…) -> x with f(x) = z.
  virtual Tensor inverse(const Tensor& z) const = 0;
};

/// Bijections one after the other; log-determinants add up (1912.02762, equation 5).
class Chain : public Bijection {
 public:
  Chain() = default;
  template <class Layer>
  Chain& add(Layer layer) {
    layers_.push_back(std::make_shared<Layer>(std::move(layer)));
    return *this;
  }
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override;

 private:
  std::vector<std::shared_ptr<const Bijection>> layers_;
};

/// (B,C,2H,2W) -> (B,4C,H,W) (Dinh et al., 1605.08803, section 3.6); the log-determinant is 0.
class Squeeze : public Bijection {
 public:
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
};

/// (B,C,H,W) -> (B,CHW).
class Flattened : public Bijection {
 public:
  explicit Flattened(const Shape& example) : example_(example) {}
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;

 private:
  Shape example_;
};

/// The order of the numbers of a vector, or of an image's channels, reversed.
class Reversal : public Bijection {
 public:
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
};

/// The logit of alpha + (1 - 2 alpha) x, x in [0,1] (Dinh et al., 1605.08803, section 4.1, in the
/// symmetric form of Papamakarios et al., 1705.07057, appendix E.2). Its log-determinant is a sum
/// over pixels of log(1 - 2 alpha) - log(p) - log(1 - p), p the argument of the logit.
class Logit : public Bijection {
 public:
  explicit Logit(double alpha) : alpha_(alpha) {}
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;

 private:
  double alpha_;
};

/// The sum over all axes but the batch: (B,…) -> (B).
Tensor sum_of_example(const Tensor& x);
/// One number for each of the examples of x: (B).
Tensor per_example(const Tensor& scalar, const Tensor& x);
/// In how many places x (B,C,…) has a channel: the product of its extents behind C.
double places_of_channel(const Tensor& x);

}  // namespace genera::zoo::flow
