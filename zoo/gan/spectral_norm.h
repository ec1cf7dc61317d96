/// Spectral normalisation (Miyato et al., "Spectral normalization for generative adversarial
/// networks", 1802.05957): layers whose weights have the largest singular value 1.
#pragma once

#include <genera/nn.h>

#include <cstdint>

namespace genera::zoo::gan {

/// W / sigma(W) for a weight (out, in…), taken as a matrix with `out` rows. sigma = u^T W v, where
/// u and v are one step of power iteration (algorithm 1) further than those of the last training
/// pass and count as constants (equation 12). States: u (out), not trainable.
class SpectralNorm {
 public:
  SpectralNorm() = default;
  SpectralNorm(const Shape& weight, const Key& key);
  /// In training declares the new u through the context.
  Tensor normalised(const Tensor& weight, Context& context) const;
  const State& u() const { return u_; }

 private:
  State u_;
};

/// nn::Linear with a normalised weight.
class SpectralLinear : public nn::Module {
 public:
  SpectralLinear(std::int64_t in, std::int64_t out, const Key& key);
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(nn::Visitor& visitor) const override { visitor(weight_, bias_, norm_.u()); }

 private:
  State weight_, bias_;
  SpectralNorm norm_;
};

/// nn::Conv2d with a normalised weight.
class SpectralConv2d : public nn::Module {
 public:
  SpectralConv2d(std::int64_t in, std::int64_t out, std::int64_t kernel, const Key& key,
                 const nn::Conv2dOptions& options);
  Tensor forward(const Tensor& x, Context& context) const override;
  void visit(nn::Visitor& visitor) const override { visitor(weight_, bias_, norm_.u()); }

 private:
  State weight_, bias_;
  SpectralNorm norm_;
  ConvOptions options_;
};

}  // namespace genera::zoo::gan
