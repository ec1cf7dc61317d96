/// Ctrl-C and SIGTERM: the step at hand is finished and saved; a second signal ends the program at
/// once.
#pragma once

namespace genera::zoo {

/// Catches SIGINT and SIGTERM while it lives.
class InterruptionGuard {
 public:
  InterruptionGuard();
  ~InterruptionGuard();
  InterruptionGuard(const InterruptionGuard&) = delete;
  InterruptionGuard& operator=(const InterruptionGuard&) = delete;

  /// The signal that came, or 0.
  static int signal();
};

}  // namespace genera::zoo
