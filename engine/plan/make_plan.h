/// The planner: canonical graph to plan.
#pragma once

#include "backends/backend.h"
#include "engine/plan/canonical.h"
#include "engine/plan/evaluate.h"
#include "engine/plan/plan.h"

#include <memory>

namespace genera {

std::shared_ptr<const Plan> make_plan(const CanonicalGraph& graph, const Backend& backend,
                                      const PlanOptions& options);

}  // namespace genera
