#include "zoo/text/sampling.h"

#include <genera/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace genera::zoo::text {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

void penalize(std::vector<double>& logits, std::span<const Token> before,
              const SamplingOptions& options) {
  if (options.repetition_penalty == 1) return;
  const auto window = static_cast<std::size_t>(options.penalty_window);
  if (window > 0 && before.size() > window) before = before.last(window);
  std::vector<Token> seen(before.begin(), before.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  for (const Token token : seen) {
    double& logit = logits[static_cast<std::size_t>(token)];
    logit = logit > 0 ? logit / options.repetition_penalty : logit * options.repetition_penalty;
  }
}

void normalize(std::vector<double>& p) {
  const double total = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= total;
}

// Keeps the first `count` of `order`.
void keep(std::vector<double>& p, const std::vector<std::size_t>& order, std::size_t count) {
  for (std::size_t i = count; i < order.size(); ++i) p[order[i]] = 0;
  normalize(p);
}

std::vector<std::size_t> by_probability(const std::vector<double>& p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
  return order;
}

void filter(std::vector<double>& p, const SamplingOptions& options) {
  if (options.top_k == 0 && options.top_p >= 1 && options.min_p == 0) return;
  const std::vector<std::size_t> order = by_probability(p);
  if (options.top_k > 0 && static_cast<std::size_t>(options.top_k) < order.size())
    keep(p, order, static_cast<std::size_t>(options.top_k));
  if (options.top_p < 1) {
    std::size_t count = 0;
    for (double sum = 0; count < order.size() && (count == 0 || sum < options.top_p); ++count)
      sum += p[order[count]];
    keep(p, order, count);
  }
  if (options.min_p > 0) {
    const double least = options.min_p * p[order[0]];
    std::size_t count = 1;
    while (count < order.size() && p[order[count]] >= least) ++count;
    keep(p, order, count);
  }
}

}  // namespace

std::vector<double> next_distribution(std::span<const float> logits, std::span<const Token> before,
                                      const SamplingOptions& options) {
  std::vector<double> p(logits.begin(), logits.end());
  if (std::any_of(p.begin(), p.end(), [](double x) { return std::isnan(x) || x == infinity; }))
    throw NumericError(
        "[sample] what the model predicts holds NaN or infinity: its weights are damaged, or too "
        "large");
  penalize(p, before, options);
  const auto largest = std::max_element(p.begin(), p.end());
  if (*largest == -infinity)
    throw NumericError("[sample] the model gives every token the probability 0");
  if (options.temperature == 0) {
    const auto best = static_cast<std::size_t>(largest - p.begin());
    std::fill(p.begin(), p.end(), 0.0);
    p[best] = 1;
    return p;
  }
  const double shift = *largest;
  for (double& x : p) x = std::exp((x - shift) / options.temperature);
  normalize(p);
  filter(p, options);
  return p;
}

Token draw(std::span<const double> distribution, double uniform) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < distribution.size(); ++i) {
    if (distribution[i] == 0) continue;
    last = i;
    sum += distribution[i];
    if (uniform < sum) break;
  }
  return static_cast<Token>(last);
}

}  // namespace genera::zoo::text
