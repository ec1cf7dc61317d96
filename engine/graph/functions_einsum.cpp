// Einstein summation: operands are contracted from left to right, each pair by one matrix product
// where it has something to sum over.
#include "engine/graph/composite.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

namespace genera {
namespace {

/// A label is a letter, or for the axes under "..." a number from `ellipsis` on: aligned at the
/// right.
using Labels = std::vector<int>;
constexpr int ellipsis = 256;

struct Term {
  Tensor value;
  Labels labels;  ///< one per axis
};

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
  bool explicit_output = false;
};

[[noreturn]] void fail_equation(std::string_view equation, std::string_view message) {
  fail("einsum", fmt::format("\"{}\": {}", equation, message));
}

Equation parse(std::string_view text) {
  Equation equation;
  std::string rest;
  std::copy_if(text.begin(), text.end(), std::back_inserter(rest), [](char c) { return c != ' '; });
  if (const auto arrow = rest.find("->"); arrow != std::string::npos) {
    equation.explicit_output = true;
    equation.output = rest.substr(arrow + 2);
    rest.resize(arrow);
  }
  for (std::size_t start = 0;;) {
    const std::size_t comma = rest.find(',', start);
    equation.inputs.push_back(rest.substr(start, comma - start));
    if (comma == std::string::npos) return equation;
    start = comma + 1;
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The labels of one side, with `dots` axes under "...", of at most `most_dots` in any term.
Labels labels_of(std::string_view equation, const std::string& term, int dots, int most_dots) {
  Labels labels;
  bool seen = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (is_letter(term[i])) {
      labels.push_back(term[i]);
    } else if (!seen && term.compare(i, 3, "...") == 0) {
      seen = true;
      i += 2;
      for (int k = most_dots - dots; k < most_dots; ++k) labels.push_back(ellipsis + k);
    } else {
      fail_equation(equation, fmt::format("\"{}\" must be letters and at most one \"...\"", term));
    }
  }
  return labels;
}

int letters_in(const std::string& term) {
  return static_cast<int>(std::count_if(term.begin(), term.end(), is_letter));
}

bool has(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

int axis_of(const Labels& labels, int label) {
  return static_cast<int>(std::find(labels.begin(), labels.end(), label) - labels.begin());
}

/// Replaces a label that occurs twice by the diagonal of its axes.
Term without_repeats(std::string_view equation, Term term) {
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    const auto twin = std::find(term.labels.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                term.labels.end(), term.labels[i]);
    if (twin == term.labels.end()) continue;
    const int a = static_cast<int>(i);
    const int b = static_cast<int>(twin - term.labels.begin());
    if (term.value.size(a) != term.value.size(b))
      fail_equation(equation, fmt::format("label '{}' has extents {} and {} in {}",
                                          static_cast<char>(term.labels[i]), term.value.size(a),
                                          term.value.size(b), describe(term.value)));
    const int label = term.labels[i];
    // b > a: moving a to the end first shifts b down by one.
    term.value = diagonal(move_axis(move_axis(term.value, a, -1), b - 1, -1));
    term.labels.erase(twin);
    term.labels.erase(term.labels.begin() + a);
    term.labels.push_back(label);
    return without_repeats(equation, std::move(term));
  }
  return term;
}

/// The extent of every label; ArgumentError where two differ and neither is 1.
std::map<int, std::int64_t> extents_of(std::string_view equation, const std::vector<Term>& terms) {
  std::map<int, std::int64_t> extents;
  for (const Term& term : terms) {
    for (std::size_t i = 0; i < term.labels.size(); ++i) {
      const std::int64_t extent = term.value.size(static_cast<int>(i));
      std::int64_t& known = extents.try_emplace(term.labels[i], extent).first->second;
      if (known == 1) known = extent;
      if (extent != known && extent != 1) {
        const int label = term.labels[i];
        const std::string shown =
            label < ellipsis ? std::string(1, static_cast<char>(label)) : "...";
        fail_equation(equation,
                      fmt::format("label '{}' has extents {} and {}", shown, known, extent));
      }
    }
  }
  return extents;
}

/// Drops the axes of extent 1 that broadcast against another term: the product does not depend on
/// them.
Term without_broadcasts(const Term& term, const std::map<int, std::int64_t>& extents) {
  Axes single;
  Labels kept;
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    const int axis = static_cast<int>(i);
    if (term.value.size(axis) == 1 && extents.at(term.labels[i]) != 1)
      single.push_back(axis);
    else
      kept.push_back(term.labels[i]);
  }
  return {squeeze(term.value, single), kept};
}

/// Sums over the labels that are not needed elsewhere.
Term summed(const Term& term, const Labels& needed) {
  Axes alone;
  Labels kept;
  for (std::size_t i = 0; i < term.labels.size(); ++i) {
    if (has(needed, term.labels[i]))
      kept.push_back(term.labels[i]);
    else
      alone.push_back(static_cast<int>(i));
  }
  return {alone.empty() ? term.value : sum(term.value, alone), kept};
}

Tensor permuted(const Term& term, const Labels& order) {
  Axes axes;
  for (const int label : order) axes.push_back(axis_of(term.labels, label));
  return permute(term.value, axes);
}

Labels joined(const Labels& a, const Labels& b) {
  Labels all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

std::int64_t extent_of(const Term& term, const Labels& labels) {
  std::int64_t n = 1;
  for (const int label : labels) n *= term.value.size(axis_of(term.labels, label));
  return n;
}

/// The term with its axes in the order of `all`, 1 where it lacks a label.
Tensor aligned(const Term& term, const Labels& all) {
  Labels order;
  std::vector<std::int64_t> extents;
  for (const int label : all) {
    const bool mine = has(term.labels, label);
    if (mine) order.push_back(label);
    extents.push_back(mine ? term.value.size(axis_of(term.labels, label)) : 1);
  }
  return reshape(permuted(term, order), Shape(extents));
}

/// Labels of two terms by what a product does with them.
struct Roles {
  Labels batch, summed, only_a, only_b;
};

Roles roles_of(const Term& a, const Term& b, const Labels& needed) {
  Roles roles;
  for (const int label : a.labels) {
    if (!has(b.labels, label))
      roles.only_a.push_back(label);
    else
      (has(needed, label) ? roles.batch : roles.summed).push_back(label);
  }
  for (const int label : b.labels)
    if (!has(a.labels, label)) roles.only_b.push_back(label);
  return roles;
}

Term product(const Term& a, const Term& b, const Labels& needed) {
  const Roles roles = roles_of(a, b, needed);
  const Labels result = joined(joined(roles.batch, roles.only_a), roles.only_b);
  const bool no_matrix = roles.only_a.empty() && roles.only_b.empty();
  if (roles.summed.empty() || no_matrix || !is_floating(a.value.dtype())) {
    const Labels all = joined(result, roles.summed);
    const Tensor value = multiply(aligned(a, all), aligned(b, all));
    Axes last;
    for (std::size_t k = result.size(); k < all.size(); ++k) last.push_back(static_cast<int>(k));
    return {last.empty() ? value : sum(value, last), result};
  }
  const std::int64_t k = extent_of(a, roles.summed);
  const std::int64_t m = extent_of(a, roles.only_a);
  const std::int64_t n = extent_of(b, roles.only_b);
  Tensor left = permuted(a, joined(joined(roles.batch, roles.only_a), roles.summed));
  Tensor right = permuted(b, joined(joined(roles.batch, roles.summed), roles.only_b));
  std::vector<std::int64_t> extents;
  for (const int label : roles.batch) extents.push_back(a.value.size(axis_of(a.labels, label)));
  for (const int label : roles.only_a) extents.push_back(a.value.size(axis_of(a.labels, label)));
  for (const int label : roles.only_b) extents.push_back(b.value.size(axis_of(b.labels, label)));
  if (roles.batch.empty()) {
    left = reshape(left, Shape{m, k});
    right = reshape(right, Shape{k, n});
  } else {
    const std::int64_t batch = extent_of(a, roles.batch);
    left = reshape(left, Shape{batch, m, k});
    right = reshape(right, Shape{batch, k, n});
  }
  return {reshape(matmul(left, right), Shape(extents)), result};
}

std::vector<Term> terms_of(std::string_view text, const Equation& equation,
                           const std::vector<Tensor>& operands, int& most_dots) {
  if (equation.inputs.size() != operands.size())
    fail_equation(
        text, fmt::format("names {} operands, got {}", equation.inputs.size(), operands.size()));
  std::vector<int> dots;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    check_same_dtype("einsum", operands[0], operands[i]);
    const int letters = letters_in(equation.inputs[i]);
    const int rest = operands[i].rank() - letters;
    const bool open = equation.inputs[i].find("...") != std::string::npos;
    if (rest < 0 || (rest > 0 && !open))
      fail_equation(text, fmt::format("\"{}\" names {} axes, operand {} is {}", equation.inputs[i],
                                      letters, i, describe(operands[i])));
    dots.push_back(rest);
    most_dots = std::max(most_dots, rest);
  }
  std::vector<Term> terms;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Labels labels = labels_of(text, equation.inputs[i], dots[i], most_dots);
    terms.push_back(without_repeats(text, {operands[i], labels}));
  }
  return terms;
}

Labels output_labels(std::string_view text, const Equation& equation, int most_dots) {
  if (equation.explicit_output) return labels_of(text, equation.output, most_dots, most_dots);
  std::map<int, int> times;
  for (const std::string& input : equation.inputs)
    for (const char c : input)
      if (is_letter(c)) ++times[c];
  Labels labels;
  for (int k = 0; k < most_dots; ++k) labels.push_back(ellipsis + k);
  for (const auto& [label, count] : times)
    if (count == 1) labels.push_back(label);
  return labels;
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  const Equation parsed = parse(equation);
  int most_dots = 0;
  std::vector<Term> terms = terms_of(equation, parsed, operands, most_dots);
  const Labels output = output_labels(equation, parsed, most_dots);
  const std::map<int, std::int64_t> extents = extents_of(equation, terms);
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (!extents.contains(output[i]) || axis_of(output, output[i]) != static_cast<int>(i))
      fail_equation(equation, "every output letter must occur once there, and in an operand");
  }
  const auto needed_after = [&](std::size_t first) {
    Labels needed = output;
    for (std::size_t i = first; i < terms.size(); ++i) needed = joined(needed, terms[i].labels);
    return needed;
  };
  for (Term& term : terms) term = without_broadcasts(term, extents);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    Labels elsewhere = output;
    for (std::size_t j = 0; j < terms.size(); ++j)
      if (j != i) elsewhere = joined(elsewhere, terms[j].labels);
    terms[i] = summed(terms[i], elsewhere);
  }
  Term result = terms[0];
  for (std::size_t i = 1; i < terms.size(); ++i)
    result = product(result, terms[i], needed_after(i + 1));
  return permuted(result, output);
}

}  // namespace genera
