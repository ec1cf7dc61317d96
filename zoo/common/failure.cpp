#include "zoo/common/failure.h"

#include <fmt/core.h>

#include <csignal>
#include <filesystem>
#include <new>

#include "zoo/common/console.h"

namespace genera::zoo {
namespace {

int report(const std::string& program, const std::string& message, int code) {
  fmt::print(stderr, "{}: {}\n", program, printable(message));
  return code;
}

}  // namespace

int run_program(const std::string& program, const std::function<int()>& body) {
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
    return report(program, "out of memory; try a smaller --batch", exit_memory);
  } catch (const DiskError& error) {
    return report(program, error.what(), exit_disk);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(program, error.what(), exit_disk);
  } catch (const std::exception& error) {
    return report(program, error.what(), exit_failure);
  }
}

}  // namespace genera::zoo
