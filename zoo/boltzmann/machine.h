/// What all Boltzmann machines of this program have in common.
///
/// A machine gives the states x of its units the probability p(x) = exp(-E(x)) / Z. Its units form
/// layers; layer 0 is visible. Everything that samples or estimates Z walks on the path
///
///     p_beta(x) ~ exp(-(1 - beta) E_base(x) - beta E(x)),   0 <= beta <= 1,
///
/// from the base-rate model, whose units are independent and whose Z is known, to the machine
/// (Salakhutdinov and Murray, "On the quantitative analysis of deep belief networks", 2008, section
/// 4.1). The base-rate model's visible units have the means of the data, its hidden units none.
///
/// Letters: N rows (images or chains), D visible units, beta a 0-d or (N,1) tensor.
#pragma once

#include <genera/nn.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>
#include <vector>

namespace genera::zoo::boltzmann {

/// One tensor (N,units) per layer, in order; visible first. Samples, or means.
using Units = std::vector<Tensor>;

/// What a sweep of Gibbs sampling leaves, for all layers.
struct Sweep {
  Units samples;
  /// The same, but of the layers drawn last the means given the samples of the others: the model's
  /// expectations are estimated from these with less variance.
  Units statistics;
};

class Machine : public nn::Module {
 public:
  /// A chain is the state of those layers from which all others can be drawn. Layers are drawn in
  /// two blocks, even and odd ones, and a chain is the odd ones: the units of each of its layers.
  virtual std::vector<std::int64_t> chain_sizes() const = 0;
  /// The chain's layers of all layers.
  virtual Units chain_of(const Units& x) const = 0;
  /// D.
  virtual std::int64_t visible_size() const = 0;

  /// E(x) of each row, (N), in `dtype`. It is linear in each layer of binary units: means of
  /// independent units in place of their states give the expectation.
  virtual Tensor energy(const Units& x, DType dtype = DType::f32) const = 0;
  /// E_base(x) of each row, (N), f32.
  virtual Tensor base_energy(const Units& x) const = 0;
  /// v (N,D) -> all layers: v, and the means of the hidden units given v. Exact where there is one
  /// hidden layer, else the mean-field approximation by `iterations` rounds.
  virtual Units infer(const Tensor& v, int iterations) const = 0;
  /// The entropy of the distribution that infer() gave, (N), f64.
  virtual Tensor entropy(const Units& x) const = 0;

  /// A chain drawn from the means that infer() gave.
  virtual Units chain_from(const Units& inferred, const Key& key) const = 0;
  /// The means of the visible units given a chain, (N,D).
  virtual Tensor visible_means(const Units& chain) const = 0;
  /// One sweep of Gibbs sampling on p_beta: the layers that are not the chain's, then the chain's.
  virtual Sweep sweep(const Units& chain, const Tensor& beta, const Key& key) const = 0;
  /// A sweep of the machine itself in which the visible units keep their values where `known`
  /// (bool, (N,D)) is true: v (N,D) and the chain are replaced.
  virtual Units clamped_sweep(Tensor& v, const Units& chain, const Tensor& known,
                              const Key& key) const = 0;

  /// log of the unnormalised probability of a chain under p_beta, with all other layers summed out:
  /// (N), f64. beta in f64.
  virtual Tensor log_weight(const Units& chain, const Tensor& beta) const = 0;
  /// log_weight at `to` less that at `from` (both 0-d, f32): (N), f64. Where it is summed over unit
  /// by unit in f32, it is by terms that are differences themselves: small ones stay accurate.
  virtual Tensor log_weight_gain(const Units& chain, const Tensor& from,
                                 const Tensor& to) const = 0;
  /// log Z of the base-rate model.
  virtual double base_log_z() const = 0;
  /// `count` chains of the base-rate model: exact samples.
  virtual Units base_chain(std::int64_t count, const Key& key) const = 0;
  /// Remembers the base-rate model of data with these means and variances of the visible units
  /// (D), and begins the visible units' parameters there.
  virtual void set_base(const Tensor& mean, const Tensor& variance) const = 0;

  /// The gradients of `parameters` replaced by those in centred units (x - offset), brought back to
  /// these parameters; the offsets are the means of x over both phases (Cho, Raiko and Ilin,
  /// "Enhanced gradient and adaptive learning rate for training restricted Boltzmann machines",
  /// 2011; Melchior, Fischer and Wiskott, "How to center deep Boltzmann machines", 2016, algorithm
  /// 1).
  virtual std::vector<Tensor> centred(const std::vector<State>& parameters,
                                      std::vector<Tensor> gradients, const Units& data,
                                      const Units& model) const = 0;
};

/// softplus(x + step) - softplus(x), accurate also where the step is small: the sign of the step
/// times log(1 + sigmoid(lower) (exp(|step|) - 1)), `lower` being the smaller of x and x + step.
Tensor softplus_gain(const Tensor& x, const Tensor& step);

/// A lower bound on log p(v) + log Z of each row of v (N,D): (N), f64. Exact where infer() is.
Tensor log_probability_bound(const Machine& machine, const Tensor& v, int iterations);

/// The loss whose gradient is that of the negative log-likelihood: mean E(data) - mean E(model),
/// statistics without gradients (Ackley, Hinton and Sejnowski, "A learning algorithm for Boltzmann
/// machines", 1985, equation 8).
Tensor contrast(const Machine& machine, const Units& data, const Units& model);

}  // namespace genera::zoo::boltzmann
