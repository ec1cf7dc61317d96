#include "zoo/common/interruption.h"

#include <csignal>

namespace genera::zoo {
namespace {

// SIGHUP: the terminal is gone.
constexpr int stops[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t caught_signal = 0;

void remember(int number) { caught_signal = number; }

void install(int number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

InterruptionGuard::InterruptionGuard() {
  caught_signal = 0;
  for (int number : stops) {
    struct sigaction before = {};
    // A program that was started with SIGINT ignored (in the background of a script) keeps ignoring
    // it.
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
    install(number, remember, static_cast<int>(SA_RESETHAND | SA_RESTART));
  }
}

InterruptionGuard::~InterruptionGuard() {
  for (int number : stops) {
    struct sigaction now = {};
    if (sigaction(number, nullptr, &now) == 0 && now.sa_handler == remember)
      install(number, SIG_DFL, 0);
  }
}

int InterruptionGuard::signal() { return caught_signal; }

}  // namespace genera::zoo
