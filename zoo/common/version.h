/// What this build is.
#pragma once

namespace genera::zoo {

/// "0.1.0".
const char* program_version();
/// The source's git commit, shortened, with "-dirty" for a changed tree; "unknown" outside of a
/// repository.
const char* source_commit();

}  // namespace genera::zoo
