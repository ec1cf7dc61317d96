/// The visible layer of a layered machine: binary or real-valued units.
///
/// Letters: N rows, D units; input (N,D) is what the hidden units send down, W h; beta a 0-d or
/// (N,1) tensor. p_beta is the path of machine.h.
#pragma once

#include <genera/nn.h>
#include <genera/random.h>
#include <genera/tensor.h>

#include <cstdint>
#include <memory>

namespace genera::zoo::boltzmann {

class VisibleUnits : public nn::Module {
 public:
  virtual std::int64_t size() const = 0;
  /// b, (D).
  virtual const State& bias() const = 0;
  /// The part of E(x) that has visible units alone: v (N,D) -> (N), in `dtype`.
  virtual Tensor energy(const Tensor& v, DType dtype) const = 0;
  /// E_base(v), (N), f32.
  virtual Tensor base_energy(const Tensor& v) const = 0;
  /// What v sends up through the weights, (N,D).
  virtual Tensor message(const Tensor& v) const = 0;
  /// Mean and sample of p_beta(v | input).
  virtual Tensor mean(const Tensor& input, const Tensor& beta) const = 0;
  virtual Tensor sample(const Tensor& input, const Tensor& beta, const Key& key) const = 0;
  /// log of the sum (or integral) over v of exp(-(1 - beta) E_base(v) - beta (energy(v) - message(v)
  /// input)): (N), f64; input and beta in f64.
  virtual Tensor log_sum(const Tensor& input, const Tensor& beta) const = 0;
  /// log_sum at `to` less that at `from`, see Machine::log_weight_gain; input in f32.
  virtual Tensor log_sum_gain(const Tensor& input, const Tensor& from, const Tensor& to) const = 0;
  /// See Machine::set_base.
  virtual void set_base(const Tensor& mean, const Tensor& variance) const = 0;
};

/// Binary units, E(v) = -b v.
std::shared_ptr<const VisibleUnits> make_binary_units(std::int64_t count);

/// Real-valued units of variance s, E(v) = (v - b)^2 / 2s, message v / s: given h, v is normal with
/// mean b + W h and variance s (Cho, Ilin and Raiko, "Improved learning of Gaussian-Bernoulli
/// restricted Boltzmann machines", 2011, equations 1 to 3), all in units of the data's mean and
/// deviation. s = exp(log_variance) is learned.
std::shared_ptr<const VisibleUnits> make_gaussian_units(std::int64_t count);

}  // namespace genera::zoo::boltzmann
