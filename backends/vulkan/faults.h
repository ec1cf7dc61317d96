/// Calls that fail on purpose, for tests of what follows a failure.
#pragma once

#include <volk.h>

namespace genera::vulkan {

/// Makes one call in `table` fail, as GENERA_VULKAN_FAULT asks: "allocate:3" the third request for memory, "submit:2" the second submission, "resubmit:1"
/// the first of commands that were submitted before and "wait:5" the fifth wait lose the device, "pipeline:1" the first pipeline cannot be made, "barrier:1" the
/// first barrier is left out. Counted from 1 over the whole process; "allocate:3+" fails from there on. Nothing where the variable is not set; ArgumentError for
/// another text.
void inject_faults(VolkDeviceTable& table);

/// The same for the calls of an instance: "devices:1", the drivers list none.
void inject_faults();

}  // namespace genera::vulkan
