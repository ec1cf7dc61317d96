/// The reference backend: one primitive after the other by the simplest loops.
#pragma once

#include "backends/backend.h"

namespace genera::reference {

Backend& backend();

}  // namespace genera::reference
