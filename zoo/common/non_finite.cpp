#include "zoo/common/non_finite.h"

#include <genera/error.h>
#include <genera/profile.h>

namespace genera::zoo {
namespace {

class NanCheck {
 public:
  NanCheck() { set_nan_check(true); }
  ~NanCheck() { set_nan_check(false); }
  NanCheck(const NanCheck&) = delete;
  NanCheck& operator=(const NanCheck&) = delete;
};

}  // namespace

std::string find_first_non_finite(const std::function<void()>& computation) {
  const NanCheck on;
  try {
    computation();
    return {};
  } catch (const NumericError& error) {
    return error.what();
  }
}

}  // namespace genera::zoo
