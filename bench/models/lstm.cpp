// A character model of two LSTM layers (Hochreiter and Schmidhuber, 1997), unrolled over the
// sequence.
#include "../workload.h"

#include <cmath>

namespace bench {
namespace {

/// One layer with PyTorch's states: gates in the order input, forget, cell, output.
class Lstm : public nn::Module {
 public:
  Lstm(std::int64_t in, std::int64_t width, const std::string& suffix, const Key& key)
      : width_(width) {
    const double bound = 1 / std::sqrt(static_cast<double>(width));
    const auto made = [&](const char* name, std::uint64_t number, const Shape& shape) {
      return State(name + suffix, nn::init::uniform(key.fold_in(number), shape, -bound, bound));
    };
    weight_in_ = made("weight_ih_", 0, {4 * width, in});
    weight_ = made("weight_hh_", 1, {4 * width, width});
    bias_in_ = made("bias_ih_", 2, {4 * width});
    bias_ = made("bias_hh_", 3, {4 * width});
  }
  void visit(nn::Visitor& visitor) const override { visitor(weight_in_, weight_, bias_in_, bias_); }

  /// x (T,B,in) -> (T,B,width), from a state of zeros.
  Tensor forward(const Tensor& x, Context&) const override {
    const std::int64_t steps = x.size(0), batch = x.size(1);
    // All that does not depend on the state, for all steps at once.
    const Tensor input = linear(x, weight_in_, bias_in_ + bias_);
    Tensor h = zeros({batch, width_}), c = h;
    std::vector<Tensor> outputs;
    for (std::int64_t t = 0; t < steps; ++t) {
      Tensor sum = squeeze(slice(input, 0, t, t + 1), {0});
      if (t > 0) sum = sum + linear(h, weight_);
      const auto gates = chunk(sum, 4, 1);
      c = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh(gates[2]);
      h = sigmoid(gates[3]) * tanh(c);
      outputs.push_back(h);
    }
    return stack(outputs, 0);
  }

 private:
  std::int64_t width_;
  State weight_in_, weight_, bias_in_, bias_;
};

}  // namespace

Workload lstm_char(bool small) {
  const std::int64_t symbols = 65, features = small ? 8 : 128, width = small ? 16 : 512;
  const std::int64_t batch = small ? 2 : 32, steps = small ? 4 : 64;
  const Key key(0);
  const auto table = nn::named("table", nn::Embedding(symbols, features, key.fold_in(0)));
  const auto first = nn::named("lstm", Lstm(features, width, "l0", key.fold_in(1)));
  const auto second = nn::named("lstm", Lstm(width, width, "l1", key.fold_in(2)));
  const auto output = nn::named("output", nn::Linear(width, symbols, key.fold_in(3)));
  const auto states = nn::states(table, first, second, output);
  const auto adam = std::make_shared<optim::Adam>(states, optim::AdamOptions{.lr = 1e-3});
  const Tensor text = fixed_symbols(symbols, {steps + 1, batch});
  const Tensor x = slice(text, 0, 0, steps).eval(), y = slice(text, 0, 1, steps + 1).eval();
  const auto step = [=](Noise&) {
    Context context = Context::training(Key(0));
    const Tensor h = second(first(table(x, context), context), context);
    return train(*adam, cross_entropy(output(h, context), y), context, 1.0);
  };
  return {states, {{"x", x}, {"y", y}}, step};
}

}  // namespace bench
