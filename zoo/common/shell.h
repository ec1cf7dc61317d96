/// Commands that a user can paste into a shell.
#pragma once

#include <string>

namespace genera::zoo {

/// The text as one word of a POSIX shell: in single quotes unless it needs none. With control
/// characters, or bytes that are no UTF-8, in bash's $'...', so that the word itself has none.
std::string shell_word(const std::string& text);

}  // namespace genera::zoo
