/// An autoregressive distribution of discrete images: the prior of a VQ-VAE's codes.
#pragma once

#include <genera/nn.h>
#include <genera/random.h>

#include <cstdint>
#include <vector>

namespace genera::zoo::vae {

/// The gated PixelCNN of van den Oord et al., "Conditional image generation with PixelCNN decoders"
/// (1606.05328), section 2: p(k) is the product over positions, row by row, of p(k_i | k_j, j < i).
///
/// Letters: B batch; K values of a position; H, W height and width; F features.
class GatedPixelCnn : public nn::Module {
 public:
  struct Sizes {
    std::int64_t values = 64;  ///< K
    std::int64_t height = 7;
    std::int64_t width = 7;
    std::int64_t features = 32;  ///< F
    /// Each sees one position further, up, left and right: max(H,W)-1 let the last position see all.
    std::int64_t layers = 6;
  };
  GatedPixelCnn(const Sizes& sizes, const Key& key);

  /// codes i32 (B,H,W) -> (B,H,W,K): the logits of each position's value, given those before it.
  Tensor logits(const Tensor& codes) const;
  /// -log p(codes) of each image: (B), nats.
  Tensor negative_log_likelihood(const Tensor& codes) const;
  /// `count` draws, i32 (count,H,W), one position after the other; evaluates. Draw i depends on the
  /// key and i only.
  Tensor sample(std::int64_t count, const Key& key) const;
  void visit(nn::Visitor& visitor) const override;

 private:
  // A convolution F -> 2F of which the kernel positions that `seen_` marks with 1 are left.
  class MaskedConv : public nn::Module {
   public:
    MaskedConv(std::int64_t features, const Tensor& seen, const Key& key);
    Tensor forward(const Tensor& x, Context& context) const override;
    void visit(nn::Visitor& visitor) const override { visitor(weight_, bias_); }

   private:
    State weight_, bias_;
    Tensor seen_;
  };
  // One layer (figure 2): the vertical stack sees all rows above, the horizontal one what is to the left.
  struct Layer {
    MaskedConv vertical, horizontal;
    nn::Conv2d across, out;
  };
  Sizes sizes_;
  nn::Embedding embedding_;
  std::vector<Layer> layers_;
  nn::Conv2d before_logits_, logits_;
};

}  // namespace genera::zoo::vae
