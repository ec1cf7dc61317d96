/// Logarithms of sums of exponentials.
#pragma once

#include <cmath>

namespace genera::zoo {

/// log(sum(exp(values))), taken up value by value, in f64.
class LogSumExp {
 public:
  void add(double value) {
    if (value <= largest_) {
      scaled_sum_ += std::exp(value - largest_);
    } else {
      scaled_sum_ = scaled_sum_ * std::exp(largest_ - value) + 1;
      largest_ = value;
    }
  }
  double value() const { return largest_ + std::log(scaled_sum_); }

 private:
  double largest_ = -1e300;
  double scaled_sum_ = 0;  // of exp(value - largest_)
};

}  // namespace genera::zoo
