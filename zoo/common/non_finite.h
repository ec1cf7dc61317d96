/// The hunt for the operation that made a NaN or an infinity.
#pragma once

#include <functional>
#include <string>

namespace genera::zoo {

/// Runs `computation` and says in words which scope and operation in it first gave NaN or infinity;
/// empty when all that it evaluated was finite.
std::string find_first_non_finite(const std::function<void()>& computation);

}  // namespace genera::zoo
