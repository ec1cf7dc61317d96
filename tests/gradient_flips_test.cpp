// Is the gradient matrix able to see a wrong rule? Each rule is distorted at run time, once by a
// flipped sign and once by a factor; the check of that primitive's cases must fail every time.
#include <doctest/doctest.h>

#include "engine/autodiff/rules.h"
#include "tests/gradient_check.h"

#include <algorithm>
#include <string>
#include <vector>

namespace genera::cases {
namespace {

/// The rule stays distorted as long as this lives.
class Distorted {
 public:
  Distorted(Op op, int input, double factor) : op_(op), input_(input) {
    autodiff::distort_rule(op, input, factor);
  }
  ~Distorted() { autodiff::distort_rule(op_, input_, 1); }
  Distorted(const Distorted&) = delete;
  Distorted& operator=(const Distorted&) = delete;

 private:
  Op op_;
  int input_;
};

/// The cases that do not notice the distorted rule.
std::vector<std::string> missed_by(const std::vector<const Case*>& all, Op op, std::size_t input,
                                   double factor) {
  const Distorted distorted(op, static_cast<int>(input), factor);
  std::vector<std::string> missed;
  for (const Case* c : all)
    if (check_gradients(*c, Order::first).ok()) missed.push_back(c->name);
  return missed;
}

}  // namespace

TEST_CASE("every distorted gradient rule is caught") {
  int rules = 0, flips = 0, missed = 0;
  for (int i = 0; i < op_count; ++i) {
    const Op op = static_cast<Op>(i);
    // A Call has no rule of its own: its gradient is its body's.
    if (!differentiable(op) || op == Op::Call) continue;
    const std::vector<Case> all = cases_of(op, {});
    std::size_t widest = 0;
    for (const Case& c : all) widest = std::max(widest, c.inputs.size());
    int of_this_rule = 0;
    for (std::size_t input = 0; input < widest; ++input) {
      std::vector<const Case*> depending, plain;
      for (const Case& c : all) {
        if (!has_gradient(c, input)) continue;
        depending.push_back(&c);
        // Of the other kinds some build no node of the primitive (the sum of a number).
        if (c.kind == "odd") plain.push_back(&c);
      }
      if (depending.empty()) continue;
      CHECK(!plain.empty());
      ++rules;
      for (const double factor : {-1.0, 1.1}) {
        ++flips;
        ++of_this_rule;
        // Modes and roles of a primitive share its name and not its rule's code, so every case must
        // notice the factor. The sign cancels where a case's loss applies the rule once more.
        const bool sign = factor < 0;
        const std::vector<const Case*>& cases = sign ? depending : plain;
        const std::vector<std::string> past = missed_by(cases, op, input, factor);
        const bool seen = sign ? past.size() < cases.size() : past.empty();
        if (!seen) ++missed;
        INFO(std::string(name(op)) << ", input " << input << ", factor " << factor << ", missed by "
                                   << (past.empty() ? "none" : past[0]));
        CHECK(seen);
      }
    }
    INFO(std::string(name(op)));
    CHECK(of_this_rule > 0);
  }
  MESSAGE(flips << " distortions of " << rules << " rules, " << missed << " missed");
  CHECK(flips > 0);
}

}  // namespace genera::cases
