/// How programs fail: the exit codes, and the errors that only programs have.
#pragma once

#include <genera/error.h>

#include <functional>
#include <string>

namespace genera::zoo {

/// What a program's exit status means.
enum ExitCode : int {
  exit_done = 0,
  exit_failure = 1,
  exit_usage = 2,
  exit_data = 3,
  exit_numeric = 4,
  exit_device = 5,
  exit_memory = 6,
  exit_disk = 7,
  exit_hung_up = 129,
  exit_interrupted = 130,
  exit_terminated = 143,
};

/// The command line, the environment or a configuration file asks for something that is not there.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A signal asked the program to stop, and its work is saved.
class Interrupted : public Error {
 public:
  Interrupted(int signal, const std::string& message) : Error(message), signal_(signal) {}
  int exit_code() const { return 128 + signal_; }

 private:
  int signal_;
};

/// Runs a program's body: returns its result, or prints "program: what went wrong" on stderr and
/// returns the exit code of the error's class.
int run_program(const std::string& program, const std::function<int()>& body);

}  // namespace genera::zoo
