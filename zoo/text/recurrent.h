/// Recurrent language models: LSTM (Hochreiter and Schmidhuber, 1997, with forget gates: Gers et al.,
/// 2000) and GRU (Cho et al., 1406.1078).
///
/// Letters: B sequences, T tokens, V vocabulary, E embedding, H units, G gates (4 or 3).
#pragma once

#include <genera/nn.h>
#include <genera/random.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "zoo/text/language_model.h"

namespace genera::zoo::text {

enum class Cell { lstm, gru };

struct RecurrentShape {
  Cell cell = Cell::lstm;
  std::int64_t vocabulary = 256;
  std::int64_t embedding = 128;
  std::int64_t units = 512;
  std::int64_t layers = 2;
  double dropout = 0;  ///< between layers and before the output (Zaremba et al., 1409.2329)
};

/// What a layer remembers, each (B,H); `cell` only of an LSTM.
struct Memory {
  Tensor hidden, cell;
};

/// One layer over time. States: input.weight (G H, in), input.bias (G H), recurrent.weight (G H, H),
/// of a GRU also candidate_bias (H). Gates in PyTorch's order: i, f, g, o, and r, z, n.
class RecurrentLayer : public nn::Module {
 public:
  RecurrentLayer(Cell cell, std::int64_t in, std::int64_t units, const Key& key);
  void visit(nn::Visitor& visitor) const override { visitor(input_, recurrent_, candidate_bias_); }

  /// x (B,T,in) -> (B,T,H); `memory` goes from before the first to after the last token.
  Tensor run(const Tensor& x, Memory& memory) const;
  /// No memory of anything.
  Memory empty(std::int64_t batch) const;

 private:
  Memory lstm(const Tensor& gates, const Memory& memory) const;
  Memory gru(const Tensor& gates, const Memory& memory) const;

  Cell cell_;
  std::int64_t units_;
  nn::Linear input_, recurrent_;
  State candidate_bias_;
};

/// Embedding, layers, output. In training, after carry(), the layers begin with what they remember
/// of the chunk before (truncated backpropagation through time): logits() declares the new memory as
/// updates.
class Recurrent : public LanguageModel {
 public:
  Recurrent(const RecurrentShape& shape, const Key& key);

  const RecurrentShape& shape() const { return shape_; }
  Tensor logits(const Tensor& tokens, Context& context) const override;
  std::unique_ptr<Decoder> decoder(std::int64_t batch) const override;
  std::int64_t vocabulary() const override { return shape_.vocabulary; }
  void visit(nn::Visitor& visitor) const override;

  /// Makes the memory that training carries from chunk to chunk, for `batch` sequences.
  void carry(std::int64_t batch);
  /// It, to be saved with the training; empty without carry().
  const std::vector<State>& carried() const { return carried_; }

 private:
  friend class RecurrentDecoder;
  Tensor run(const Tensor& tokens, std::vector<Memory>& memories, Context& context) const;

  RecurrentShape shape_;
  nn::Embedding embedding_;
  std::vector<RecurrentLayer> layers_;
  nn::Linear output_;
  std::vector<State> carried_;  // hidden (and cell) of each layer
};

}  // namespace genera::zoo::text
