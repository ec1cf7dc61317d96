/// Symbol visibility: only what carries GENERA_API leaves the shared library.
#pragma once

#if defined(__GNUC__)
#define GENERA_API __attribute__((visibility("default")))
#else
#define GENERA_API
#endif
