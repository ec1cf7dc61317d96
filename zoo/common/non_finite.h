/// The hunt for the operation that made a NaN or an infinity.
#pragma once

#include <genera/tensor.h>

#include <string>
#include <vector>

namespace genera::zoo {

/// Says in words which scope and operation behind `roots` first gave NaN or infinity; empty when
/// all are finite. Evaluates.
std::string find_first_non_finite(const std::vector<Tensor>& roots);

}  // namespace genera::zoo
