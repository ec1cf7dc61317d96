// Is the gradient matrix able to see a wrong rule? Each rule is distorted at run time, once by a
// flipped sign and once by a factor; the check of that primitive's cases must fail every time.
#include <doctest/doctest.h>

#include "engine/autodiff/rules.h"
#include "tests/gradient_check.h"

#include <algorithm>

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

bool caught(const std::vector<Case>& all, Op op, std::size_t input, double factor) {
  const Distorted distorted(op, static_cast<int>(input), factor);
  return std::any_of(all.begin(), all.end(),
                     [](const Case& c) { return !check_gradients(c, Order::first).ok(); });
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
      const auto depends = [&](const Case& c) { return has_gradient(c, input); };
      if (std::none_of(all.begin(), all.end(), depends)) continue;
      ++rules;
      for (const double factor : {-1.0, 1.1}) {
        ++flips;
        ++of_this_rule;
        const bool seen = caught(all, op, input, factor);
        if (!seen) ++missed;
        INFO(std::string(name(op)) << ", input " << input << ", factor " << factor);
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
