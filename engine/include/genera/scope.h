/// Named scopes of graph building.
#pragma once

#include <genera/export.h>

#include <cstdint>
#include <string_view>

namespace genera {

/// While it lives, nodes built by this thread carry its name, below the names of the scopes around it:
///     genera::scope in_encoder("encoder");
class GENERA_API scope {
 public:
  explicit scope(std::string_view name);
  ~scope();
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

 private:
  std::uint32_t outer_;
};

}  // namespace genera
