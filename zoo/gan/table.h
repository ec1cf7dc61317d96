/// Figures of several things side by side.
#pragma once

#include <string>
#include <vector>

#include "zoo/gan/examples.h"

namespace genera::zoo::gan {

/// One line per entry, one column per figure of the first.
std::string table_text(const std::vector<Reference>& rows);

}  // namespace genera::zoo::gan
