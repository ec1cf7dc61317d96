/// Runs a test once for every SIMD target of this processor.
#pragma once

#include <hwy/targets.h>

#include <cstdint>
#include <string>

namespace genera {

/// Calls body(name of the target) with tile kernels, executors made from now on etc. dispatching to
/// that target.
template <class Body>
void for_simd_targets(const Body& body) {
  // A lower bit is a better target: those before the current one are taken away.
  for (std::int64_t rest = hwy::SupportedTargets(); rest != 0; rest &= rest - 1) {
    hwy::SetSupportedTargetsForTest(rest);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(std::string(hwy::TargetName(rest & -rest)));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace genera
