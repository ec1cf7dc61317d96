/// A Boltzmann machine as a model of images.
#pragma once

#include <genera/nn.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "zoo/boltzmann/layered_machine.h"
#include "zoo/boltzmann/machine.h"

namespace genera::zoo::boltzmann {

/// Size and scale of the images that a machine sees.
struct ImageShape {
  std::int64_t channels = 1, height = 28, width = 28;
  std::int64_t shrink = 1;  ///< images are averaged over squares of this side first
  bool binary = true;       ///< pixels of at least one half are 1, the others 0
  std::int64_t visible_size() const { return channels * (height / shrink) * (width / shrink); }
};

/// A machine, with directed layers between it and the pixels where there are any.
///
/// With layers below, this is a deep belief net (Hinton, Osindero and Teh, "A fast learning
/// algorithm for deep belief nets", 2006): p(v) = sum over h of p(v | h1) p(h1 | h2) ... p(top),
/// where each p(x | h) is that of the restricted machine trained there, and p(top) is the machine's.
class Model : public nn::Module {
 public:
  Model(const ImageShape& shape, std::vector<std::shared_ptr<const LayeredMachine>> below,
        std::shared_ptr<const Machine> top);

  void visit(nn::Visitor& visitor) const override;
  const ImageShape& shape() const { return shape_; }
  const Machine& top() const { return *top_; }
  const std::vector<std::shared_ptr<const LayeredMachine>>& below() const { return below_; }

  /// Images (N,C,H,W) in [0,1] -> visible units (N,D).
  Tensor visible(const Tensor& images) const;
  /// Visible units, or their means, as images (N,C,H/shrink,W/shrink).
  Tensor images(const Tensor& visible) const;

  /// v (N,D) -> samples of the first `layers` directed layers' hidden units given those below: what
  /// the machine above is trained on.
  Tensor up(Tensor v, std::size_t layers, const Key& key) const;
  /// A chain of the top machine -> means of the pixels' units given samples of all layers between.
  Tensor visible_means(const Units& chain, const Key& key) const;

  /// A lower bound on log p(v) + log Z of each row: (N), f64. Without directed layers that of the
  /// machine. With them log p(v | h1) ... p*(top) - log q(h | v) for one draw of h from q(h | v), the
  /// upward pass, whose mean over draws is the bound (Salakhutdinov and Murray, 2008, equation 19;
  /// Hinton et al., 2006, equation 8).
  Tensor bound(const Tensor& v, int iterations, const Key& key) const;

 private:
  ImageShape shape_;
  std::vector<std::shared_ptr<const LayeredMachine>> below_;
  std::shared_ptr<const Machine> top_;
};

}  // namespace genera::zoo::boltzmann
