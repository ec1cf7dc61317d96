#include "zoo/text/transformer_decoder.h"

#include <fmt/core.h>
#include <genera/error.h>
#include <genera/functions.h>

#include <algorithm>
#include <bit>

#include "zoo/text/transformer_block.h"

namespace genera::zoo::text {
namespace {

constexpr std::int64_t smallest_capacity = 64;
constexpr std::int64_t largest_part = 256;

}  // namespace

TransformerDecoder::TransformerDecoder(const Transformer& model, std::int64_t batch)
    : model_(model), batch_(batch) {}

Tensor TransformerDecoder::extend(const Tensor& tokens) {
  Tensor last;
  in_parts(tokens, [&](const Tensor& part) {
    const Tensor x = append(part);
    last = model_.output(slice(x, 1, x.size(1) - 1, x.size(1)));
    return last;
  });
  return reshape(last, {batch_, model_.vocabulary()});
}

Tensor TransformerDecoder::read(const Tensor& tokens) {
  std::vector<Tensor> parts;
  in_parts(tokens, [&](const Tensor& part) {
    parts.push_back(model_.output(append(part)));
    return parts.back();
  });
  return concat(parts, 1);
}

void TransformerDecoder::in_parts(const Tensor& tokens,
                                  const std::function<Tensor(const Tensor&)>& logits) {
  const std::int64_t room = model_.shape().context - length_;
  const std::int64_t count = tokens.rank() == 2 ? tokens.size(1) : 0;
  if (count == 0 || tokens.size(0) != batch_ || count > room)
    throw ArgumentError(
        fmt::format("[decoder] needs 1 to {} tokens for each of {} sequences (context {}, of which "
                    "{} are used), got {}",
                    room, batch_, model_.shape().context, length_, to_string(tokens.shape())));
  make_room(count);
  for (std::int64_t done = 0; done < count;) {
    const auto left = static_cast<std::uint64_t>(count - done);
    const auto part = std::min(static_cast<std::int64_t>(std::bit_floor(left)), largest_part);
    const Tensor result = logits(slice(tokens, 1, done, done + part));
    commit(std::exchange(updates_, {}), {result});
    length_ += part;
    done += part;
  }
}

// Twice as many slots whenever they are full: a few plans, and little time spent on empty slots.
void TransformerDecoder::make_room(std::int64_t tokens) {
  if (length_ + tokens <= capacity_) return;
  const TransformerShape& shape = model_.shape();
  std::int64_t wanted = std::max(capacity_, smallest_capacity);
  while (wanted < length_ + tokens) wanted *= 2;
  wanted = std::min(wanted, shape.context);
  const auto enlarged = [&](const State& old, std::size_t layer, const char* name) {
    const Shape slots{batch_, wanted, shape.kv_heads, shape.head_width};
    const Tensor value =
        old ? pad(old, {0, 0, 0, 0}, {0, wanted - capacity_, 0, 0}).eval() : zeros(slots).eval();
    return State(fmt::format("{}.{}", name, layer), value, false);
  };
  layers_.resize(static_cast<std::size_t>(shape.layers));
  for (std::size_t i = 0; i < layers_.size(); ++i)
    layers_[i] = {enlarged(layers_[i].keys, i, "keys"), enlarged(layers_[i].values, i, "values")};
  capacity_ = wanted;
}

Tensor TransformerDecoder::append(const Tensor& tokens) {
  const std::int64_t count = tokens.size(1);
  const Tensor offset = scalar(static_cast<double>(length_), DType::i32);
  const Tensor positions = iota({count}, 0) + offset;
  const auto here = [&](const Tensor& table) { return gather(table, positions); };
  Tensor x = model_.embed(tokens, model_.positions_ ? here(model_.positions_->weight()) : Tensor());
  const Tensor cosine = model_.rotary_ ? here(model_.rotary_->cosine) : Tensor();
  const Tensor sine = model_.rotary_ ? here(model_.rotary_->sine) : Tensor();
  const Tensor mask = window_mask(count, capacity_, offset, model_.shape().window);
  const Tensor slot = Tensor::from({0, static_cast<std::int32_t>(length_), 0, 0}, Shape{4});
  Context inference;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const TransformerBlock& block = *model_.blocks_[i];
    const auto now = block.query_key_value(x, cosine, sine);
    const Tensor keys = dynamic_slice_update(layers_[i].keys, now.key, slot);
    const Tensor values = dynamic_slice_update(layers_[i].values, now.value, slot);
    x = block.finish(x, grouped_attention(now.query, keys, values, mask), inference);
    updates_.push_back({layers_[i].keys, keys});
    updates_.push_back({layers_[i].values, values});
  }
  return x;
}

}  // namespace genera::zoo::text
