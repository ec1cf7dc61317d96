/// Coupling layers (Dinh et al., "Real NVP", 1605.08803, section 3.2): one part of x passes and tells
/// a network the parameters of an increasing map of each number of the other part.
#pragma once

#include "zoo/flow/bijection.h"
#include "zoo/flow/scalar_map.h"

namespace genera::zoo::flow {

/// Which part of x a coupling along axis 1 transforms.
struct Halves {
  bool first = false;        ///< the first half, otherwise the second
  std::int64_t passive = 0;  ///< numbers (or channels) before both halves that always pass
};

/// Coupling of the two halves of axis 1 of (B,D) or (B,C,H,W). `network` maps the passing part to
/// (B, P x transformed numbers, …), number d's parameter p at p x numbers + d.
class Coupling : public Bijection {
 public:
  Coupling(nn::Sequential network, std::shared_ptr<const ScalarMap> scalar_map, Halves halves);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(network_); }

  /// How many of `size` numbers of axis 1 pass and are transformed.
  static std::int64_t passing(std::int64_t size, Halves halves);
  static std::int64_t transformed(std::int64_t size, Halves halves) {
    return size - passing(size, halves);
  }

 private:
  struct Parts {
    Tensor passive, first, second;
  };
  Parts parts(const Tensor& x) const;
  Tensor parameters(const Parts& parts, Context& context) const;
  Tensor joined(const Parts& parts, const Tensor& changed) const;

  nn::Sequential network_;
  std::shared_ptr<const ScalarMap> scalar_map_;
  Halves halves_;
};

/// Coupling of the two colours of a checkerboard on (B,C,H,W) (1605.08803, section 3.4): `network`
/// maps x with the transformed colour set to 0, and a channel that marks the other one, to
/// (B,PC,H,W).
class CheckerboardCoupling : public Bijection {
 public:
  /// Transforms the positions with odd (or with `even` even) row + column.
  CheckerboardCoupling(nn::Sequential network, std::shared_ptr<const ScalarMap> scalar_map,
                       bool even);
  Mapped map(const Tensor& x, Context& context) const override;
  Tensor inverse(const Tensor& z) const override;
  void visit(nn::Visitor& visitor) const override { visitor(network_); }

 private:
  Tensor passes(const Tensor& x) const;  // (1,1,H,W): 1 where x passes
  Tensor parameters(const Tensor& x, const Tensor& passes, Context& context) const;

  nn::Sequential network_;
  std::shared_ptr<const ScalarMap> scalar_map_;
  bool even_;
};

/// (B, P numbers, …) -> (B, P, numbers, …).
Tensor split_parameters(const Tensor& output, std::int64_t parameters);

}  // namespace genera::zoo::flow
