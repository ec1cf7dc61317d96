// GPT (Radford et al., 2019): learned positions, normalisation before each part, tanh GELU, the
// embedding as output layer. Training on fixed symbols, and greedy decoding with a KV cache.
#include "../workload.h"

namespace bench {
namespace {

struct Sizes {
  std::int64_t layers, heads, width, context, symbols, batch;
};
constexpr Sizes tiny{2, 2, 16, 8, 17, 2};
constexpr Sizes char_a{4, 4, 128, 64, 65, 12};
constexpr Sizes char_b{6, 6, 384, 256, 65, 16};
constexpr Sizes gpt2{12, 12, 768, 1024, 50257, 1};

/// Keys and values of one layer so far: each (context, width).
struct Cache {
  State keys, values;
};

class Block : public nn::Module {
 public:
  Block(const Sizes& s, const Key& key)
      : heads_(s.heads),
        norm1_(nn::named("norm1", nn::LayerNorm(s.width))),
        norm2_(nn::named("norm2", nn::LayerNorm(s.width))),
        qkv_(nn::named("qkv", nn::Linear(s.width, 3 * s.width, key.fold_in(0)))),
        mix_(nn::named("mix", nn::Linear(s.width, s.width, key.fold_in(1)))),
        up_(nn::named("up", nn::Linear(s.width, 4 * s.width, key.fold_in(2)))),
        down_(nn::named("down", nn::Linear(4 * s.width, s.width, key.fold_in(3)))) {}
  void visit(nn::Visitor& visitor) const override {
    visitor(norm1_, norm2_, qkv_, mix_, up_, down_);
  }

  /// x (B,T,D) -> (B,T,D).
  Tensor forward(const Tensor& x, Context& context) const override {
    const auto parts = chunk(qkv_(norm1_(x, context), context), 3, -1);
    const Tensor seen =
        attention(split(parts[0]), split(parts[1]), split(parts[2]), {.causal = true});
    return feed(x, reshape(permute(seen, {0, 2, 1, 3}), x.shape()), context);
  }

  /// x (1,1,D) at `position` (i32, (1)), seeing the first `length` places of the cache, which
  /// `context` is to follow.
  Tensor decode(const Tensor& x, const Tensor& position, std::int64_t length, const Cache& cache,
                Context& context) const {
    const std::int64_t width = x.size(-1);
    const auto parts = chunk(qkv_(norm1_(x)), 3, -1);
    const Tensor start = concat({position, zeros({1}, DType::i32)}, 0);
    const auto grown = [&](const State& kept, const Tensor& now) {
      Tensor all = dynamic_slice_update(kept, reshape(now, {1, width}), start);
      context.update(kept, all);
      return split(reshape(slice(all, 0, 0, length), {1, length, width}));
    };
    const Tensor keys = grown(cache.keys, parts[1]), values = grown(cache.values, parts[2]);
    const Tensor mask = less_equal(arange(length), position);
    const Tensor seen = attention(split(parts[0]), keys, values, {.mask = mask});
    return feed(x, reshape(permute(seen, {0, 2, 1, 3}), x.shape()), context);
  }

 private:
  /// (B,T,D) -> (B,H,T,D/H).
  Tensor split(const Tensor& x) const {
    return permute(reshape(x, {x.size(0), x.size(1), heads_, x.size(2) / heads_}), {0, 2, 1, 3});
  }
  Tensor feed(const Tensor& x, const Tensor& seen, Context& context) const {
    const Tensor h = x + mix_(seen, context);
    return h + down_(gelu_tanh(up_(norm2_(h, context), context)), context);
  }

  std::int64_t heads_;
  nn::LayerNorm norm1_, norm2_;
  nn::Linear qkv_, mix_, up_, down_;
};

class Gpt : public nn::Module {
 public:
  Gpt(const Sizes& s, const Key& key)
      : symbols_(nn::named("symbols", nn::Embedding(s.symbols, s.width, key.fold_in(0)))),
        positions_(nn::named("positions", nn::Embedding(s.context, s.width, key.fold_in(1)))),
        norm_(nn::named("norm", nn::LayerNorm(s.width))) {
    for (const nn::Embedding* table : {&symbols_, &positions_})
      table->weight().set(table->weight().value() * 0.02);
    for (std::int64_t i = 0; i < s.layers; ++i)
      blocks_.emplace_back(s, key.fold_in(static_cast<std::uint64_t>(2 + i)));
  }
  void visit(nn::Visitor& visitor) const override {
    visitor(symbols_, positions_);
    visitor.list("blocks", blocks_);
    visitor(norm_);
  }

  /// Symbols (i32, (B,T)) -> logits (B,T,V).
  Tensor forward(const Tensor& symbols, Context& context) const override {
    const Tensor places = slice(positions_.weight().value(), 0, 0, symbols.size(1));
    Tensor h = symbols_(symbols, context) + places;
    for (const Block& block : blocks_) h = block(h, context);
    return linear(norm_(h, context), symbols_.weight());
  }

  /// Logits (1,1,V) after one more symbol (i32, (1)).
  Tensor decode(const Tensor& symbol, const Tensor& position, std::int64_t length,
                const std::vector<Cache>& caches, Context& context) const {
    Tensor h = unsqueeze(symbols_(symbol) + positions_(position), 0);
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      h = blocks_[i].decode(h, position, length, caches[i], context);
    return linear(norm_(h), symbols_.weight());
  }

 private:
  nn::Embedding symbols_, positions_;
  std::vector<Block> blocks_;
  nn::LayerNorm norm_;
};

Workload trained(const Sizes& s) {
  const auto model = std::make_shared<Gpt>(s, Key(0));
  const auto adam = std::make_shared<optim::AdamW>(
      model->parameters(),
      optim::AdamOptions{
          .lr = 1e-3, .beta2 = 0.99, .weight_decay = 0.1, .decays = optim::is_matrix});
  const Tensor text = fixed_symbols(s.symbols, {s.batch, s.context + 1});
  const Tensor x = slice(text, 1, 0, s.context).eval();
  const Tensor y = slice(text, 1, 1, s.context + 1).eval();
  const auto step = [=](Noise&) {
    Context context = Context::training(Key(0));
    return train(*adam, cross_entropy((*model)(x, context), y), context, 1.0);
  };
  return {model->states(), {{"x", x}, {"y", y}}, step};
}

/// Greedy decoding of `count` symbols after symbol 0. Attention looks at whole blocks of the cache,
/// so that few plans serve all lengths.
Workload decoded(const Sizes& s, std::int64_t count) {
  const auto model = std::make_shared<Gpt>(s, Key(0));
  std::vector<Cache> caches;
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const Tensor empty = zeros({s.context, s.width}).eval();
    caches.push_back({State("keys", empty, false), State("values", empty, false)});
  }
  const State symbol("symbol", zeros({1}, DType::i32).eval(), false);
  const State position("position", zeros({1}, DType::i32).eval(), false);
  const auto step = [=](Noise&) {
    constexpr std::int64_t block = 64;
    symbol.set(zeros({1}, DType::i32).eval());
    position.set(zeros({1}, DType::i32).eval());
    Tensor certainty;
    for (std::int64_t at = 0; at < count; ++at) {
      const std::int64_t length = std::min(s.context, (at / block + 1) * block);
      Context context;
      const Tensor logits =
          reshape(model->decode(symbol, position, length, caches, context), {s.symbols});
      std::vector<Update> updates = context.take_updates();
      updates.push_back({symbol, argmax(logits, 0, true)});
      updates.push_back({position, position + full_like(position.value(), 1)});
      certainty = max(logits);
      commit(std::move(updates), {certainty});
    }
    return certainty;
  };
  return {model->states(), {}, step};
}

}  // namespace

Workload gpt_char_a(bool small) { return trained(small ? tiny : char_a); }
Workload gpt_char_b(bool small) { return trained(small ? tiny : char_b); }
Workload gpt_decode_b(bool small) { return decoded(small ? tiny : char_b, small ? 4 : 64); }
Workload gpt_decode_124m(bool small) { return decoded(small ? tiny : gpt2, small ? 4 : 16); }

}  // namespace bench
