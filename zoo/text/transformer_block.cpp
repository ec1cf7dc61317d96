#include "zoo/text/transformer_block.h"

#include <genera/functions.h>

#include <cmath>

namespace genera::zoo::text {
namespace {

// N(0, 0.02), no bias (Radford et al., 2019, section 2.3; Touvron et al. leave it open).
nn::Linear linear_layer(const std::string& name, std::int64_t in, std::int64_t out, bool bias,
                        double deviation, const Key& key) {
  nn::Linear layer(in, out, key, {.bias = bias});
  layer.weight().set(nn::init::normal(key, layer.weight().shape(), 0, deviation));
  if (bias) layer.bias().set(zeros({out}));
  return nn::named(name, std::move(layer));
}

constexpr double deviation = 0.02;

double residual_deviation(const TransformerShape& shape) {
  return deviation / std::sqrt(2.0 * static_cast<double>(shape.layers));
}

}  // namespace

Normalisation::Normalisation(const TransformerShape& shape)
    : epsilon_(shape.norm_epsilon), weight_("weight", ones({shape.width})) {
  if (shape.norm == Norm::layer) bias_ = State("bias", zeros({shape.width}));
}

Tensor Normalisation::forward(const Tensor& x, Context&) const {
  return bias_ ? layer_norm(x, weight_, bias_, 1, epsilon_) : rms_norm(x, weight_, epsilon_);
}

RotaryTable::RotaryTable(std::int64_t positions, std::int64_t head_width, double base,
                         const std::vector<double>& divisors) {
  const std::int64_t pairs = head_width / 2;
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < pairs; ++i) {
    const double divisor = divisors.empty() ? 1 : divisors[static_cast<std::size_t>(i)];
    frequencies.push_back(
        std::pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(head_width)) / divisor);
  }
  std::vector<float> cosines, sines;
  cosines.reserve(static_cast<std::size_t>(positions * pairs));
  sines.reserve(static_cast<std::size_t>(positions * pairs));
  for (std::int64_t position = 0; position < positions; ++position)
    for (const double frequency : frequencies) {
      const double angle = static_cast<double>(position) * frequency;
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
  cosine = Tensor::from(cosines, {positions, pairs});
  sine = Tensor::from(sines, {positions, pairs});
}

Tensor rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  const std::int64_t pairs = cosine.size(1);
  const Tensor c = reshape(cosine, {cosine.size(0), 1, pairs});
  const Tensor s = reshape(sine, {sine.size(0), 1, pairs});
  const Tensor a = slice(x, -1, 0, pairs);
  const Tensor b = slice(x, -1, pairs, 2 * pairs);
  return concat({a * c - b * s, b * c + a * s}, -1);
}

Tensor grouped_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  const std::int64_t batch = q.size(0), queries = q.size(1), heads = q.size(2), width = q.size(3);
  const std::int64_t keys = k.size(1), kv_heads = k.size(2), group = heads / kv_heads;
  const AttentionOptions options{.causal = !mask, .mask = mask};
  Tensor attended;  // (B,H,T,D)
  if (group == 1) {
    attended = attention(permute(q, {0, 2, 1, 3}), permute(k, {0, 2, 1, 3}),
                         permute(v, {0, 2, 1, 3}), options);
  } else {
    const auto repeated = [&](const Tensor& x) {
      const Tensor by_head = reshape(permute(x, {0, 2, 1, 3}), {batch, kv_heads, 1, keys, width});
      return broadcast_to(by_head, {batch, kv_heads, group, keys, width});
    };
    const Tensor by_group =
        reshape(permute(q, {0, 2, 1, 3}), {batch, kv_heads, group, queries, width});
    attended = reshape(attention(by_group, repeated(k), repeated(v), options),
                       {batch, heads, queries, width});
  }
  return reshape(permute(attended, {0, 2, 1, 3}), {batch, queries, heads * width});
}

Tensor window_mask(std::int64_t queries, std::int64_t keys, const Tensor& offset,
                   std::int64_t window) {
  const Tensor query = iota({queries, keys}, 0) + offset;
  const Tensor key = iota({queries, keys}, 1);
  const Tensor past = less_equal(key, query);
  if (window == 0) return past;
  return logical_and(
      past, less(query - key, full({queries, keys}, static_cast<double>(window), DType::i32)));
}

TransformerBlock::TransformerBlock(const TransformerShape& shape, const Key& key)
    : shape_(shape),
      attention_norm_(nn::named("attention_norm", Normalisation(shape))),
      mlp_norm_(nn::named("mlp_norm", Normalisation(shape))),
      attention_(linear_layer("attention", shape.width,
                              (shape.heads + 2 * shape.kv_heads) * shape.head_width, shape.bias,
                              deviation, key.fold_in(0))),
      projection_(linear_layer("projection", shape.heads * shape.head_width, shape.width,
                               shape.bias, residual_deviation(shape), key.fold_in(1))),
      up_(linear_layer("up", shape.width,
                       shape.mlp == Mlp::swiglu ? 2 * shape.hidden : shape.hidden, shape.bias,
                       deviation, key.fold_in(2))),
      down_(linear_layer("down", shape.hidden, shape.width, shape.bias, residual_deviation(shape),
                         key.fold_in(3))) {}

void TransformerBlock::visit(nn::Visitor& visitor) const {
  visitor(attention_norm_, attention_, projection_, mlp_norm_, up_, down_);
}

TransformerBlock::QueryKeyValue TransformerBlock::query_key_value(const Tensor& x,
                                                                  const Tensor& cosine,
                                                                  const Tensor& sine) const {
  const std::int64_t heads = shape_.heads, kv_heads = shape_.kv_heads;
  const Tensor all = reshape(attention_(attention_norm_(x)),
                             {x.size(0), x.size(1), heads + 2 * kv_heads, shape_.head_width});
  QueryKeyValue result{slice(all, 2, 0, heads), slice(all, 2, heads, heads + kv_heads),
                       slice(all, 2, heads + kv_heads, heads + 2 * kv_heads)};
  if (shape_.positions == Positions::rotary) {
    result.query = rotate(result.query, cosine, sine);
    result.key = rotate(result.key, cosine, sine);
  }
  return result;
}

Tensor TransformerBlock::finish(const Tensor& x, const Tensor& attended, Context& context) const {
  const nn::Dropout dropout(shape_.dropout);
  const Tensor middle = x + dropout(projection_(attended), context);
  return middle + dropout(mlp(mlp_norm_(middle), context), context);
}

Tensor TransformerBlock::mlp(const Tensor& x, Context& context) const {
  const Tensor inner = up_(x, context);
  switch (shape_.mlp) {
    case Mlp::gelu:
      return down_(gelu(inner));
    case Mlp::gelu_tanh:
      return down_(gelu_tanh(inner));
    case Mlp::swiglu:
      break;
  }
  const std::int64_t hidden = shape_.hidden;
  return down_(silu(slice(inner, -1, 0, hidden)) * slice(inner, -1, hidden, 2 * hidden));
}

}  // namespace genera::zoo::text
