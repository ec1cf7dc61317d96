/// What of a training step's graph is held against the same graph on another device.
#pragma once

#include <genera/tensor.h>

#include <string>
#include <vector>

namespace genera::zoo {

/// A draw of a unit or of dropout: less(u, p) with uniform u.
struct Draw {
  Tensor uniform, probability, sample;
};

/// A graph's figures and gradients, and what it drew on the way.
struct WatchedGraph {
  std::vector<Tensor> roots;
  std::vector<Tensor> random;  ///< every Random node: integers and uniforms
  std::vector<Draw> draws;
};
/// The same graph built again gives the same lists in the same order.
WatchedGraph watch(const std::vector<Tensor>& roots);

/// Numbers of a watched graph, as f64.
struct WatchedValues {
  using Numbers = std::vector<double>;
  struct DrawNumbers {
    Numbers uniform, probability, sample;
  };
  std::vector<Numbers> roots, random;
  std::vector<DrawNumbers> draws;
};
/// Computes all of it in one plan.
WatchedValues evaluated(const WatchedGraph& graph);

/// By how much `got` differs from `expected`.
struct Difference {
  std::string text;  ///< "" when within the bounds
  int flips = 0;     ///< samples that fell on the other side with |u - p| <= 1e-5
  /// Squared errors in units of what is allowed, of 0-d roots and of others.
  double largest_loss = 0, largest_gradient = 0;
  int by_exact = 0;  ///< gradients that were held against f64, being too far from `expected`
  int zeros = 0;     ///< gradients that f32 has no digit of, and that were held against their terms
};
/// Random numbers are equal; samples are wherever |u - p| > 1e-5; 0-d roots differ by at most 1e-5 relative, other roots by a normalised mean squared error of at most 1e-8. A loss
/// below a tenth of the size of its terms is measured by that. Where terms of a gradient cancel, `expected` has lost digits too: one that is further off may instead have
/// a normalised mean squared error of at most 1e-8 against the same graph in f64; only where that leaves less than
/// 1e-6 of its terms (a bias in front of a normalisation) may it be 1e-6 of them off. After a flip the roots are not compared. `graph` is that of `expected`.
Difference difference(const WatchedGraph& graph, const WatchedValues& expected,
                      const WatchedValues& got);

}  // namespace genera::zoo
