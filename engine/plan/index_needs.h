/// For which numbers in leaves and from the host every Gather and ScatterAdd of a plan has indices in range: a device that could only find a bad one while it runs need not be waited for then.
#pragma once

#include "engine/plan/plan.h"
#include "engine/plan/plan_graph.h"

#include <optional>

namespace genera {

/// What plan.index_needs is to be; `plan` has its leaves and scalars.
std::optional<Plan::IndexNeeds> index_needs(const PlanGraph& graph, const CanonicalGraph& canonical,
                                            const Plan& plan);

}  // namespace genera
