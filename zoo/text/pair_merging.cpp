#include "zoo/text/pair_merging.h"

#include <queue>

namespace genera::zoo::text {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

struct Link {
  std::size_t previous = none;
  std::size_t next = none;
};

// A pair that could be merged when it was found. It is out of date when its texts have grown.
struct Candidate {
  Merge merge;
  std::size_t left = 0;
  std::size_t right = 0;
  std::size_t length = 0;

  friend bool operator<(const Candidate& a, const Candidate& b) {  // the greatest goes first
    return a.merge.rank != b.merge.rank ? a.merge.rank > b.merge.rank : a.left > b.left;
  }
};

}  // namespace

void merge_pairs(
    std::vector<Symbol>& symbols,
    const std::function<std::optional<Merge>(const Symbol& left, const Symbol& right)>& find) {
  std::vector<Link> links(symbols.size());
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::size_t left, std::size_t right) {
    if (left == none || right == none) return;
    if (const auto merge = find(symbols[left], symbols[right]))
      queue.push({*merge, left, right, symbols[left].text.size() + symbols[right].text.size()});
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    links[i] = {i == 0 ? none : i - 1, i + 1 == symbols.size() ? none : i + 1};
    consider(links[i].previous, i);
  }
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    // A symbol that went into the one before it has no text any more.
    if (left.text.empty() || right.text.empty() ||
        left.text.size() + right.text.size() != best.length)
      continue;
    left = {{left.text.data(), best.length}, best.merge.token};
    right.text = {};
    links[best.left].next = links[best.right].next;
    if (links[best.left].next != none) links[links[best.left].next].previous = best.left;
    consider(links[best.left].previous, best.left);
    consider(best.left, links[best.left].next);
  }
  std::erase_if(symbols, [](const Symbol& symbol) { return symbol.text.empty(); });
}

}  // namespace genera::zoo::text
