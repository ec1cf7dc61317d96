/// Machines whose layers are connected to their neighbours only: restricted Boltzmann machines (one
/// hidden layer) and deep ones.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "zoo/boltzmann/machine.h"
#include "zoo/boltzmann/visible_units.h"

namespace genera::zoo::boltzmann {

/// E(x) = E_visible(v) - sum over l >= 1 of x_l (b_l + W_(l-1)^T x_(l-1)), with the visible units'
/// message in place of x_0.
///
/// One hidden layer: the restricted Boltzmann machine (Smolensky, 1986; Hinton, "Training products
/// of experts by minimizing contrastive divergence", 2002). More: the deep Boltzmann machine
/// (Salakhutdinov and Hinton, "Deep Boltzmann machines", 2009, equations 9 and 10).
class LayeredMachine : public Machine {
 public:
  /// `hidden`: units of each hidden layer, from the visible one up. Weights begin normal with a
  /// deviation of 0.01.
  LayeredMachine(std::shared_ptr<const VisibleUnits> visible,
                 const std::vector<std::int64_t>& hidden, const Key& key);

  void visit(nn::Visitor& visitor) const override;
  std::vector<std::int64_t> chain_sizes() const override;
  std::int64_t visible_size() const override { return visible_->size(); }
  Units chain_of(const Units& x) const override;
  Tensor energy(const Units& x, DType dtype) const override;
  Tensor base_energy(const Units& x) const override { return visible_->base_energy(x[0]); }
  Units infer(const Tensor& v, int iterations) const override;
  Tensor entropy(const Units& x) const override;
  Units chain_from(const Units& inferred, const Key& key) const override;
  Tensor visible_means(const Units& chain) const override;
  Sweep sweep(const Units& chain, const Tensor& beta, const Key& key) const override;
  Units clamped_sweep(Tensor& v, const Units& chain, const Tensor& known,
                      const Key& key) const override;
  Tensor log_weight(const Units& chain, const Tensor& beta) const override;
  Tensor log_weight_gain(const Units& chain, const Tensor& from, const Tensor& to) const override;
  double base_log_z() const override;
  Units base_chain(std::int64_t count, const Key& key) const override;
  void set_base(const Tensor& mean, const Tensor& variance) const override {
    visible_->set_base(mean, variance);
  }
  std::vector<Tensor> centred(const std::vector<State>& parameters, std::vector<Tensor> gradients,
                              const Units& data, const Units& model) const override;

  /// The restricted machine of the visible and the first hidden layer alone, with the same
  /// parameters. It is as likely as this machine without the second layer's weights.
  LayeredMachine first() const;

  /// log p(v | h1) of the lower two layers alone, (N), f64: v (N,D), h1 (N,units).
  Tensor log_conditional(const Tensor& v, const Tensor& h) const;
  /// log p(h1 | v) of the lower two layers alone, (N), f64.
  Tensor log_posterior(const Tensor& v, const Tensor& h) const;

  /// Number of hidden layers.
  std::size_t depth() const { return weights_.size(); }
  /// (units of layer l, units of layer l+1); the filters of layer l+1.
  const State& weight(std::size_t l) const { return weights_[l]; }
  /// Of hidden layer l >= 1, (units).
  const State& bias(std::size_t l) const { return biases_[l - 1]; }

 private:
  explicit LayeredMachine(std::shared_ptr<const VisibleUnits> visible)
      : visible_(std::move(visible)) {}
  // Sum of what the neighbours of layer l send, (N,units of l); `x` holds at least those.
  Tensor input(const Units& x, std::size_t l) const;
  Tensor means(const Units& x, std::size_t l, const Tensor& beta) const;
  Units spread(const Units& chain) const;  // the odd layers at their places

  std::shared_ptr<const VisibleUnits> visible_;
  std::vector<State> weights_, biases_;
};

}  // namespace genera::zoo::boltzmann
