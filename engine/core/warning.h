/// Rare warnings, on their way to the program.
#pragma once

#include <functional>
#include <string_view>

namespace genera {

/// Gives `text` to the handler of set_warning_handler(), where there is one. Safe to call from any thread; the handler must not compute.
void warn(std::string_view text);

/// set_warning_handler() of this copy of the engine: a module that has one of its own would call the program's.
void hand_warnings_to(std::function<void(std::string_view)> handler);

}  // namespace genera
