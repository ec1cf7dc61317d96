#include "zoo/common/non_finite.h"

#include <fmt/core.h>
#include <genera/functions.h>

namespace genera::zoo {

std::string find_first_non_finite(const std::vector<Tensor>& roots) {
  for (std::size_t i = 0; i < roots.size(); ++i) {
    const Tensor finite = sum(cast(logical_not(isfinite(roots[i])), DType::f32));
    if (finite.item<double>() > 0)
      return i == 0 ? std::string("the loss itself") : fmt::format("gradient {}", i);
  }
  return {};
}

}  // namespace genera::zoo
