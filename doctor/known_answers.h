/// Computations whose results are known, for a device nobody has tried.
#pragma once

#include <string>
#include <vector>

namespace genera::doctor {

struct Answer {
  std::string question;  ///< "matrix product"
  std::string wrong;     ///< what came instead, or the error; empty where all is well
  double seconds = 0;
};

/// Asks the current device (set_device): a matrix product, reductions, random integers, an elementwise program and a gradient.
/// Sums are of whole numbers, and so are exact in any order; functions may be off by a few units in the last place. Throws nothing of Genera's.
std::vector<Answer> known_answers();

}  // namespace genera::doctor
