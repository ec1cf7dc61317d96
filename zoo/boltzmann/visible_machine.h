/// The Boltzmann machine without hidden units.
#pragma once

#include <cstdint>
#include <vector>

#include "zoo/boltzmann/machine.h"

namespace genera::zoo::boltzmann {

/// E(v) = -b v - sum over i < j of v_i U_ij v_j (Ackley, Hinton and Sejnowski, 1985, equation 1).
/// Few units: Gibbs sampling draws them one by one, and up to some 20 Z can be enumerated. A chain
/// is v itself.
class VisibleMachine : public Machine {
 public:
  explicit VisibleMachine(std::int64_t count);

  void visit(nn::Visitor& visitor) const override { visitor(coupling_, bias_, base_bias_); }
  std::vector<std::int64_t> chain_sizes() const override { return {visible_size()}; }
  Units chain_of(const Units& x) const override { return x; }
  std::int64_t visible_size() const override { return bias_.shape()[0]; }
  Tensor energy(const Units& x, DType dtype) const override;
  Tensor base_energy(const Units& x) const override;
  Units infer(const Tensor& v, int) const override { return {v}; }
  Tensor entropy(const Units& x) const override;
  Units chain_from(const Units& inferred, const Key&) const override { return inferred; }
  Tensor visible_means(const Units& chain) const override { return chain[0]; }
  Sweep sweep(const Units& chain, const Tensor& beta, const Key& key) const override;
  Units clamped_sweep(Tensor& v, const Units& chain, const Tensor& known,
                      const Key& key) const override;
  Tensor log_weight(const Units& chain, const Tensor& beta) const override;
  Tensor log_weight_gain(const Units& chain, const Tensor& from, const Tensor& to) const override;
  double base_log_z() const override;
  Units base_chain(std::int64_t count, const Key& key) const override;
  void set_base(const Tensor& mean, const Tensor& variance) const override;
  /// As they are: with the exact gradient there is nothing to gain.
  std::vector<Tensor> centred(const std::vector<State>&, std::vector<Tensor> gradients,
                              const Units&, const Units&) const override {
    return gradients;
  }

  /// U (D,D), of which only what is above the diagonal counts.
  const State& coupling() const { return coupling_; }
  const State& bias() const { return bias_; }

 private:
  Tensor swept(Tensor v, const Tensor& beta, const Tensor& known, const Key& key) const;

  State coupling_, bias_, base_bias_;
};

}  // namespace genera::zoo::boltzmann
