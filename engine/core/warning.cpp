#include "engine/core/warning.h"

#include <genera/stats.h>

#include <mutex>

namespace genera {
namespace {

struct Handler {
  std::mutex mutex;
  std::function<void(std::string_view)> call;
};
Handler& handler() {
  static auto* one = new Handler;  // never freed: the last warning may come late
  return *one;
}

}  // namespace

void hand_warnings_to(std::function<void(std::string_view)> call) {
  std::lock_guard lock(handler().mutex);
  handler().call = std::move(call);
}
void set_warning_handler(std::function<void(std::string_view)> call) {
  hand_warnings_to(std::move(call));
}

void warn(std::string_view text) {
  std::function<void(std::string_view)> call;
  {
    std::lock_guard lock(handler().mutex);
    call = handler().call;
  }
  if (call) call(text);
}

}  // namespace genera
