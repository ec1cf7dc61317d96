/// Ctrl-C, SIGTERM and the end of the terminal: the step at hand is finished and saved; a second
/// signal ends the program at once.
#pragma once

namespace genera::zoo {

/// Catches SIGINT, SIGTERM and SIGHUP while it lives.
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
