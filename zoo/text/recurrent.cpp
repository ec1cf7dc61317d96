#include "zoo/text/recurrent.h"

#include <fmt/core.h>
#include <genera/error.h>
#include <genera/functions.h>

#include <algorithm>
#include <bit>
#include <vector>

namespace genera::zoo::text {
namespace {

std::int64_t gate_count(Cell cell) { return cell == Cell::lstm ? 4 : 3; }

// Bias 1 at the forget gate: an LSTM remembers at first (Gers et al., 2000; Jozefowicz et al.,
// 2015).
Tensor first_bias(Cell cell, std::int64_t units) {
  const auto part = static_cast<std::size_t>(units);
  std::vector<float> bias(part * static_cast<std::size_t>(gate_count(cell)), 0.0f);
  if (cell == Cell::lstm) std::fill(bias.begin() + units, bias.begin() + 2 * units, 1.0f);
  return Tensor::from(bias, {std::ssize(bias)});
}

}  // namespace

RecurrentLayer::RecurrentLayer(Cell cell, std::int64_t in, std::int64_t units, const Key& key)
    : cell_(cell),
      units_(units),
      input_(nn::named("input", nn::Linear(in, gate_count(cell) * units, key.fold_in(0)))),
      recurrent_(nn::named("recurrent", nn::Linear(units, gate_count(cell) * units, key.fold_in(1),
                                                   {.bias = false}))) {
  input_.bias().set(first_bias(cell, units));
  if (cell == Cell::gru) candidate_bias_ = State("candidate_bias", zeros({units}));
}

Memory RecurrentLayer::empty(std::int64_t batch) const {
  const Tensor nothing = zeros({batch, units_});
  return {nothing, cell_ == Cell::lstm ? nothing : Tensor()};
}

// c' = f c + i g, h' = o tanh(c') with i, f, o = sigmoid and g = tanh of W x + b + U h (Gers et al.,
// 2000, without peepholes).
Memory RecurrentLayer::lstm(const Tensor& gates, const Memory& memory) const {
  const Tensor all = gates + recurrent_(memory.hidden);
  const auto gate = [&](std::int64_t i) { return slice(all, 1, i * units_, (i + 1) * units_); };
  const Tensor cell = sigmoid(gate(1)) * memory.cell + sigmoid(gate(0)) * tanh(gate(2));
  return {sigmoid(gate(3)) * tanh(cell), cell};
}

// r, z = sigmoid(W x + b + U h), n = tanh(W x + b + r (U h + b')), h' = (1 - z) n + z h: 1406.1078,
// equations 5 to 8, with z and 1 - z exchanged and the reset after the product, as cuDNN and PyTorch.
Memory RecurrentLayer::gru(const Tensor& gates, const Memory& memory) const {
  const Tensor own = recurrent_(memory.hidden);
  const auto part = [&](const Tensor& all, std::int64_t i) {
    return slice(all, 1, i * units_, (i + 1) * units_);
  };
  const Tensor reset = sigmoid(part(gates, 0) + part(own, 0));
  const Tensor update = sigmoid(part(gates, 1) + part(own, 1));
  const Tensor candidate = tanh(part(gates, 2) + reset * (part(own, 2) + candidate_bias_));
  return {candidate + update * (memory.hidden - candidate), {}};
}

Tensor RecurrentLayer::run(const Tensor& x, Memory& memory) const {
  const std::int64_t length = x.size(0), batch = x.size(1);
  const Tensor gates = input_(x);
  std::vector<Tensor> hidden;
  for (std::int64_t t = 0; t < length; ++t) {
    const Tensor now = reshape(slice(gates, 0, t, t + 1), {batch, gates.size(2)});
    memory = cell_ == Cell::lstm ? lstm(now, memory) : gru(now, memory);
    hidden.push_back(reshape(memory.hidden, {1, batch, units_}));
  }
  return concat(hidden, 0);
}

Recurrent::Recurrent(const RecurrentShape& shape, const Key& key)
    : shape_(shape),
      embedding_(
          nn::named("embedding", nn::Embedding(shape.vocabulary, shape.embedding, key.fold_in(0)))),
      output_(nn::named("output", nn::Linear(shape.units, shape.vocabulary, key.fold_in(1)))) {
  if (shape.layers < 1)
    throw ArgumentError(fmt::format("[recurrent] needs layers, got {}", shape.layers));
  for (std::int64_t i = 0; i < shape.layers; ++i)
    layers_.emplace_back(shape.cell, i == 0 ? shape.embedding : shape.units, shape.units,
                         key.fold_in(2 + static_cast<std::uint64_t>(i)));
}

void Recurrent::visit(nn::Visitor& visitor) const {
  visitor(embedding_);
  visitor.list("layers", layers_);
  visitor(output_);
}

// Time comes first inside, so that a step's gates lie together.
Tensor Recurrent::run(const Tensor& tokens, std::vector<Memory>& memories, Context& context) const {
  const nn::Dropout dropout(shape_.dropout);
  Tensor x = embedding_(transpose(tokens));
  for (std::size_t i = 0; i < layers_.size(); ++i)
    x = dropout(layers_[i].run(x, memories[i]), context);
  return permute(output_(x), {1, 0, 2});
}

void Recurrent::carry(std::int64_t batch) {
  carried_.clear();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Tensor nothing = zeros({batch, shape_.units});
    carried_.emplace_back(fmt::format("memory.{}.hidden", i), nothing, false);
    if (shape_.cell == Cell::lstm)
      carried_.emplace_back(fmt::format("memory.{}.cell", i), nothing, false);
  }
}

Tensor Recurrent::logits(const Tensor& tokens, Context& context) const {
  const bool goes_on = context.is_training() && !carried_.empty();
  const std::size_t each = shape_.cell == Cell::lstm ? 2 : 1;
  std::vector<Memory> memories;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    memories.push_back(layers_[i].empty(tokens.size(0)));
    if (!goes_on) continue;
    memories[i].hidden = carried_[each * i];
    if (each == 2) memories[i].cell = carried_[each * i + 1];
  }
  Tensor logits = run(tokens, memories, context);
  for (std::size_t i = 0; goes_on && i < layers_.size(); ++i) {
    context.update(carried_[each * i], stop_gradient(memories[i].hidden));
    if (each == 2) context.update(carried_[each * i + 1], stop_gradient(memories[i].cell));
  }
  return logits;
}

class RecurrentDecoder : public Decoder {
 public:
  RecurrentDecoder(const Recurrent& model, std::int64_t batch) : model_(model) {
    for (const RecurrentLayer& layer : model.layers_) memories_.push_back(layer.empty(batch));
  }

  Tensor extend(const Tensor& tokens) override {
    const Tensor all = read(tokens);
    const std::int64_t last = all.size(1) - 1;
    return reshape(slice(all, 1, last, last + 1), {all.size(0), all.size(2)});
  }

  // In parts whose sizes are powers of two: texts of all lengths share a few plans.
  Tensor read(const Tensor& tokens) override {
    constexpr std::uint64_t largest_part = 64;
    std::vector<Tensor> logits;
    for (std::int64_t done = 0; done < tokens.size(1);) {
      const auto left = static_cast<std::uint64_t>(tokens.size(1) - done);
      const auto part = static_cast<std::int64_t>(std::min(std::bit_floor(left), largest_part));
      logits.push_back(read_part(slice(tokens, 1, done, done + part)));
      done += part;
    }
    return logits.size() == 1 ? logits.front() : concat(logits, 1);
  }

  std::int64_t length() const override { return length_; }

 private:
  Tensor read_part(const Tensor& tokens) {
    Context inference;
    Tensor logits = model_.run(tokens, memories_, inference);
    std::vector<Tensor> results{logits};
    for (const Memory& memory : memories_) {
      results.push_back(memory.hidden);
      if (memory.cell) results.push_back(memory.cell);
    }
    eval(results);
    for (Memory& memory : memories_) {
      memory.hidden = detach(memory.hidden);
      if (memory.cell) memory.cell = detach(memory.cell);
    }
    length_ += tokens.size(1);
    return logits;
  }

  const Recurrent& model_;
  std::vector<Memory> memories_;
  std::int64_t length_ = 0;
};

std::unique_ptr<Decoder> Recurrent::decoder(std::int64_t batch) const {
  return std::make_unique<RecurrentDecoder>(*this, batch);
}

}  // namespace genera::zoo::text
