#include <genera/error.h>

#include "backends/backend.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/reference/reference_backend.h"

#include <fmt/format.h>

namespace genera {
namespace {
Backend*& current() {
  static Backend* backend = &cpu::backend();
  return backend;
}
}  // namespace

Backend& find_backend(std::string_view name) {
  if (name == "cpu") return cpu::backend();
  if (name == "reference") return reference::backend();
  throw ArgumentError(fmt::format("[backend] there is no '{}'; use 'cpu' or 'reference'", name));
}
Backend& current_backend() { return *current(); }
void set_current_backend(std::string_view name) { current() = &find_backend(name); }

}  // namespace genera
