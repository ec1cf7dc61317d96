/// Runs a test once for every SIMD target of this processor.
#pragma once

#include <doctest/doctest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <string>

namespace genera {

/// Calls body(name of the target) once for each target that was compiled and that this processor
/// has, with tile kernels, executors made from now on etc. dispatching to that target.
template <class Body>
void for_simd_targets(const Body& body) {
  int count = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(std::string(hwy::TargetName(target)));
    ++count;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  CHECK(count > 0);
}

}  // namespace genera
