/// Durations on the command line.
#pragma once

#include <string_view>

namespace genera::zoo {

/// Seconds of "90", "90s", "2m", "1h30m" or "1.5h". UsageError for anything else and for less than
/// a second.
double parse_duration(std::string_view text);

}  // namespace genera::zoo
