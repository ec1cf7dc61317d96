#include "zoo/common/failure.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <new>

#include "zoo/common/console.h"
#include "zoo/common/machine.h"

namespace genera::zoo {
namespace {

int report(const std::string& program, const std::string& message, int code) {
  write_log(fmt::format("{}: {}\n", program, printable(message)));
  return code;
}

// Else the first files opened would get the numbers of the closed streams, and messages would go
// into a checkpoint. Nothing can be written to what stands in for standard output.
void fill_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF)
      (void)::open("/dev/null", stream == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

}  // namespace

int run_program(const std::string& program, const std::function<int()>& body) {
  fill_closed_streams();
  // A file that grows past a limit is an error of its writer, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    const int code = body();
    if (std::fflush(stdout) != 0) throw DiskError("standard output could not be written");
    return code;
  } catch (const UsageError& error) {
    return report(program, error.what(), exit_usage);
  } catch (const Interrupted& error) {
    return report(program, error.what(), error.exit_code());
  } catch (const DataError& error) {
    return report(program, error.what(), exit_data);
  } catch (const NumericError& error) {
    return report(program, error.what(), exit_numeric);
  } catch (const DeviceError& error) {
    return report(program, error.what(), exit_device);
  } catch (const MemoryError& error) {
    return report(program, error.what(), exit_memory);
  } catch (const std::bad_alloc&) {
    return report(program,
                  fmt::format("out of memory: {:.0f} MB were in use and {:.0f} MB more are "
                              "available; ask for less (--batch, --count, smaller layers)",
                              1e-6 * static_cast<double>(peak_memory()),
                              1e-6 * static_cast<double>(available_memory())),
                  exit_memory);
  } catch (const DiskError& error) {
    return report(program, error.what(), exit_disk);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(program, error.what(), exit_disk);
  } catch (const std::exception& error) {
    return report(program, error.what(), exit_failure);
  }
}

}  // namespace genera::zoo
