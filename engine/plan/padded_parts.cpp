#include "engine/plan/padded_parts.h"

#include <algorithm>
#include <cstddef>

namespace genera {
namespace {

constexpr std::size_t most_overlapping_terms = 64;

/// The part of `all` that holds element `at`, from `next` on; nullptr if there is none.
const PaddedParts::Part* part_at(const PaddedParts& all, std::int64_t at, std::size_t& next) {
  while (next < all.parts.size() && all.parts[next].end <= at) ++next;
  return next < all.parts.size() && all.parts[next].start <= at ? &all.parts[next] : nullptr;
}

/// Terms of x + y; addition commutes but does not associate.
std::optional<std::vector<PaddedParts::Term>> joined(const PaddedParts::Part& x,
                                                     const PaddedParts::Part& y) {
  const bool swap = y.terms.size() > 1;
  if (swap && x.terms.size() > 1) return std::nullopt;
  std::vector<PaddedParts::Term> terms = swap ? y.terms : x.terms;
  terms.push_back(swap ? x.terms[0] : y.terms[0]);
  return terms;
}

}  // namespace

std::optional<PaddedParts> sum_of(const PaddedParts& a, const PaddedParts& b) {
  if (a.axis != b.axis) return std::nullopt;
  std::vector<std::int64_t> bounds;
  for (const PaddedParts* side : {&a, &b})
    for (const PaddedParts::Part& part : side->parts) {
      bounds.push_back(part.start);
      bounds.push_back(part.end);
    }
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  PaddedParts sum;
  sum.axis = a.axis;
  std::size_t next_a = 0, next_b = 0, overlapping = 0;
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    const PaddedParts::Part* x = part_at(a, bounds[i], next_a);
    const PaddedParts::Part* y = part_at(b, bounds[i], next_b);
    if (!x && !y) continue;
    PaddedParts::Part part{bounds[i], bounds[i + 1], {}, true};
    if (x && y) {
      auto terms = joined(*x, *y);
      if (!terms) return std::nullopt;
      part.terms = std::move(*terms);
      part.plus_zero = x->plus_zero || y->plus_zero;
      overlapping += part.terms.size();
    } else {
      part.terms = (x ? x : y)->terms;
    }
    sum.parts.push_back(std::move(part));
  }
  if (overlapping > most_overlapping_terms) return std::nullopt;
  return sum;
}

}  // namespace genera
