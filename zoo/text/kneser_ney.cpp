#include "zoo/text/kneser_ney.h"

#include <fmt/core.h>
#include <genera/error.h>

#include <algorithm>
#include <bit>

namespace genera::zoo::text {
namespace {

// (parent, token) -> node, by open addressing.
class Edges {
 public:
  explicit Edges(std::size_t expected) : slots_(std::bit_ceil(2 * expected + 16)) {}

  // The node at the end of the edge, 0 if there is none, to be set.
  std::uint32_t& operator()(std::uint32_t parent, Token token) {
    if (2 * used_ >= slots_.size()) enlarge();
    Slot& slot = find(key_of(parent, token));
    if (slot.node == 0) {
      slot.key = key_of(parent, token);
      ++used_;
    }
    return slot.node;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t node = 0;
  };
  static std::uint64_t key_of(std::uint32_t parent, Token token) {
    return std::uint64_t{parent} << 32 | static_cast<std::uint32_t>(token);
  }
  Slot& find(std::uint64_t key) {
    const std::size_t mask = slots_.size() - 1;
    std::uint64_t hash = key * 0x9E3779B97F4A7C15u;  // 2^64 over the golden ratio
    hash ^= hash >> 32;
    std::size_t at = hash & mask;
    while (slots_[at].node != 0 && slots_[at].key != key) at = (at + 1) & mask;
    return slots_[at];
  }
  void enlarge() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old)
      if (slot.node != 0) find(slot.key) = slot;
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace

KneserNey::KneserNey(std::span<const Token> text, std::int64_t order, std::int64_t vocabulary,
                     Discounts discounts)
    : order_(order), vocabulary_(vocabulary), nodes_(1) {
  if (order < 1 || vocabulary < 1 || text.empty())
    throw ArgumentError(
        fmt::format("[kneser_ney] order {}, vocabulary {} and {} tokens of text "
                    "must be positive",
                    order, vocabulary, text.size()));
  for (const Token token : text)
    if (token < 0 || token >= vocabulary)
      throw ArgumentError(
          fmt::format("[kneser_ney] token {} is outside of [0,{})", token, vocabulary));
  grow(text);
  list_children();
  estimate_discounts(discounts);
}

// Adds every n-gram of the text. The one of length k that ends at a place is the child of the one of
// length k - 1 that ends one earlier.
void KneserNey::grow(std::span<const Token> text) {
  Edges edges(text.size());
  const auto longest = static_cast<std::size_t>(order_);
  std::vector<std::uint32_t> before(longest + 1, 0), now(longest + 1, 0);  // by length
  std::size_t known = 0;  // the longest n-gram that ends one earlier
  for (const Token token : text) {
    const std::size_t length = std::min(known + 1, longest);
    std::size_t fresh = 0;  // the shortest n-gram that is new: all longer ones are new too
    for (std::size_t k = 1; k <= length; ++k) {
      std::uint32_t& node = edges(before[k - 1], token);
      if (node == 0) {
        node = static_cast<std::uint32_t>(nodes_.size());
        nodes_.push_back({before[k - 1], token, static_cast<std::uint32_t>(k)});
        if (fresh == 0) fresh = k;
      }
      now[k] = node;
    }
    if (length == longest) ++nodes_[now[longest]].count;
    // A new n-gram of length k is a new token before the one of length k - 1.
    for (std::size_t k = std::max<std::size_t>(fresh, 2); fresh > 0 && k <= length; ++k)
      ++nodes_[now[k - 1]].count;
    before.swap(now);
    known = length;
  }
}

void KneserNey::list_children() {
  children_.resize(nodes_.size() - 1);
  for (std::uint32_t i = 1; i < nodes_.size(); ++i) children_[i - 1] = i;
  std::sort(children_.begin(), children_.end(), [this](std::uint32_t a, std::uint32_t b) {
    return std::pair(nodes_[a].parent, nodes_[a].token) <
           std::pair(nodes_[b].parent, nodes_[b].token);
  });
  for (std::uint32_t i = 0; i < children_.size(); ++i) {
    const Node& node = nodes_[children_[i]];
    Node& parent = nodes_[node.parent];
    if (i == 0 || nodes_[children_[i - 1]].parent != node.parent) parent.children_begin = i;
    parent.children_end = i + 1;
    parent.total += node.count;
    if (node.count > 0) ++parent.kinds[std::min(node.count, 3u) - 1];
  }
}

// Chen and Goodman, equations 24 and 26: Y = n1 / (n1 + 2 n2), D(i) = i - (i + 1) Y n_{i+1} / n_i.
// Where a length has too few rare n-grams for that (the single characters of a long text), 1/2.
void KneserNey::estimate_discounts(Discounts discounts) {
  std::vector<std::array<double, 4>> rare(static_cast<std::size_t>(order_));  // n1 … n4
  for (const Node& node : nodes_)
    if (node.depth > 0 && node.count >= 1 && node.count <= 4)
      ++rare[node.depth - 1][node.count - 1];
  for (const auto& n : rare) {
    std::array<double, 3> d{0.5, 0.5, 0.5};
    if (n[0] > 0 && n[1] > 0 && n[2] > 0) {
      const double y = n[0] / (n[0] + 2 * n[1]);
      for (std::size_t i = 0; i < 3; ++i) {
        const auto count = static_cast<double>(i + 1);
        const double own = count - (count + 1) * y * n[i + 1] / n[i];
        d[i] = discounts == Discounts::one ? y : std::clamp(own, 0.05, count);
      }
    }
    discounts_.push_back(d);
  }
}

std::uint32_t KneserNey::child(std::uint32_t node, Token token) const {
  const auto begin = children_.begin() + nodes_[node].children_begin;
  const auto end = children_.begin() + nodes_[node].children_end;
  const auto found = std::lower_bound(
      begin, end, token, [this](std::uint32_t a, Token b) { return nodes_[a].token < b; });
  return found != end && nodes_[*found].token == token ? *found : 0;
}

std::vector<double> KneserNey::distribution(std::span<const Token> before) const {
  std::vector<double> p(static_cast<std::size_t>(vocabulary_),
                        1 / static_cast<double>(vocabulary_));
  const std::size_t longest = std::min(before.size(), static_cast<std::size_t>(order_ - 1));
  for (std::size_t length = 0; length <= longest; ++length) {
    std::uint32_t context = 0;
    bool known = true;
    for (const Token token : before.last(length)) {
      context = child(context, token);
      known = known && context != 0;
      if (!known) break;
    }
    if (!known) break;  // nor are longer ones
    const Node& node = nodes_[context];
    if (node.total == 0) continue;
    const auto& d = discounts_[length];
    const auto total = static_cast<double>(node.total);
    const double rest =
        (d[0] * node.kinds[0] + d[1] * node.kinds[1] + d[2] * node.kinds[2]) / total;
    for (double& x : p) x *= rest;
    for (std::uint32_t i = node.children_begin; i < node.children_end; ++i) {
      const Node& next = nodes_[children_[i]];
      if (next.count > 0)
        p[static_cast<std::size_t>(next.token)] +=
            (next.count - d[std::min(next.count, 3u) - 1]) / total;
    }
  }
  return p;
}

}  // namespace genera::zoo::text
