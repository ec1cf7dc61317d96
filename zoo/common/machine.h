/// What a run was made on, without names of hosts or paths.
#pragma once

#include <cstdint>
#include <string>

namespace genera::zoo {

/// The processor's model name; "unknown" where the system does not tell.
std::string cpu_model();
/// Processors that this process may run on.
int core_count();
/// The most memory that this process had in use so far, in bytes.
std::int64_t peak_memory();
/// Bytes that this process can still take without swapping: what the system has available, less
/// where a control group or a resource limit allows less.
std::int64_t available_memory();
/// From now on an allocation fails (MemoryError, std::bad_alloc) that goes beyond what
/// available_memory() is now: without this, the system grants it, and ends some process later.
void refuse_more_than_available();

}  // namespace genera::zoo
