/// Sums of cotangents.
#pragma once

#include <genera/tensor.h>

#include <vector>

namespace genera::autodiff {

/// The sum of tensors of one shape, from left to right. Many thin matrix products among them, the
/// gradient of a weight that a recurrent net uses at every time step, become one: the sum of A_i
/// B_i is [A_1 A_2 …] [B_1; B_2; …].
Tensor added_up(std::vector<Tensor> terms);

}  // namespace genera::autodiff
