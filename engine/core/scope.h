/// Scopes: names that nodes carry, so that profiles and errors speak the user's language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace genera {

/// Number of the innermost scope of this thread; 0 is the empty one.
std::uint32_t current_scope();
/// Enters `name` below the current scope and returns the previous one's number; leave with set_scope.
std::uint32_t enter_scope(std::string_view name);
void set_scope(std::uint32_t scope);
/// "encoder/linear1", "" for 0.
std::string scope_name(std::uint32_t scope);

}  // namespace genera
