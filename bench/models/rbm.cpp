// A Bernoulli restricted Boltzmann machine trained by contrastive divergence (Hinton, 2002) and by
// persistent contrastive divergence (Tieleman, 2008).
#include "../workload.h"

namespace bench {
namespace {

struct Rbm {
  State w, visible_bias, hidden_bias;

  Tensor hidden(const Tensor& v) const { return sigmoid(matmul(v, w) + hidden_bias); }
  Tensor visible(const Tensor& h) const {
    return sigmoid(matmul(h, transpose(w.value())) + visible_bias);
  }
};

Tensor drawn(const Tensor& probability, Noise& noise) {
  return cast(less(noise.uniform(probability.shape()), probability), DType::f32);
}

/// One update by `steps` Gibbs steps from the data, or from the chains if they are to persist.
Workload trained(std::int64_t batch, int steps, bool persistent) {
  const std::int64_t visible = 784, hidden = 500;
  const Rbm rbm{State("w", random_normal(Key(1), {visible, hidden}) * 0.01),
                State("visible_bias", zeros({visible})), State("hidden_bias", zeros({hidden}))};
  const Tensor data = drawn(full({batch, visible}, 0.3), *std::make_unique<Noise>(Key(2))).eval();
  const State chains(
      "chains", drawn(full({batch, visible}, 0.3), *std::make_unique<Noise>(Key(3))).eval(), false);
  const auto step = [=](Noise& noise) {
    const Tensor up = rbm.hidden(data);
    Tensor v = persistent ? chains.value() : data;
    Tensor h = persistent ? rbm.hidden(v) : up;
    for (int i = 0; i < steps; ++i) {
      v = drawn(rbm.visible(drawn(h, noise)), noise);
      h = rbm.hidden(v);
    }
    const double rate = 0.1 / static_cast<double>(batch);
    const Tensor error = mean(square(data - v));
    std::vector<Update> updates{
        {rbm.w, rbm.w + (matmul(transpose(data), up) - matmul(transpose(v), h)) * rate},
        {rbm.visible_bias, rbm.visible_bias + sum(data - v, {0}) * rate},
        {rbm.hidden_bias, rbm.hidden_bias + sum(up - h, {0}) * rate}};
    if (persistent) updates.push_back({chains, v});
    v = h = Tensor();
    commit(std::move(updates), {error});
    return error;
  };
  std::vector<State> states{rbm.w, rbm.visible_bias, rbm.hidden_bias};
  if (persistent) states.push_back(chains);
  return {states, {{"data", data}}, step};
}

}  // namespace

Workload rbm_cd1(bool small) { return trained(small ? 4 : 100, 1, false); }
Workload rbm_pcd15(bool small) { return trained(small ? 4 : 100, 15, true); }

}  // namespace bench
