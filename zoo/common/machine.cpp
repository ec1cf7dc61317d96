#include "zoo/common/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <thread>

namespace genera::zoo {

namespace {

// The number after `key` in a file of lines "key number"; with an empty key, the file's only one.
std::optional<std::int64_t> number_in(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const char* begin = line.c_str() + key.size();
    char* end = nullptr;
    const std::int64_t number = std::strtoll(begin, &end, 10);
    if (end != begin) return number;
  }
  return std::nullopt;
}

// What a control group's limit leaves; its file cache can be dropped.
std::int64_t left_in_group(const char* limit, const char* used, const char* statistics,
                           const char* cache) {
  const auto most = number_in(limit, "");
  const auto taken = number_in(used, "");
  if (!most || !taken) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(*most - *taken + number_in(statistics, cache).value_or(0), 0);
}

}  // namespace

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t begin = line.find_first_not_of(" \t", line.find(':') + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return "unknown";
}

int core_count() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

std::int64_t available_memory() {
  std::int64_t bytes = std::numeric_limits<std::int64_t>::max();
  if (const auto kilobytes = number_in("/proc/meminfo", "MemAvailable:")) bytes = *kilobytes * 1024;
  bytes =
      std::min(bytes, left_in_group("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                                    "/sys/fs/cgroup/memory.stat", "inactive_file "));
  bytes =
      std::min(bytes, left_in_group("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                                    "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file "));
  rlimit limit{};
  const auto pages = number_in("/proc/self/statm", "");
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && pages)
    bytes = std::min(
        bytes, std::max<std::int64_t>(static_cast<std::int64_t>(limit.rlim_cur) -
                                          *pages * static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)),
                                      0));
  return bytes;
}

void refuse_more_than_available() {
  const auto kilobytes = number_in("/proc/self/status", "VmData:");
  rlimit limit{};
  if (!kilobytes || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  const std::int64_t available = available_memory();
  if (available == std::numeric_limits<std::int64_t>::max()) return;
  limit.rlim_cur = std::min(limit.rlim_cur, static_cast<rlim_t>(*kilobytes * 1024 + available));
  setrlimit(RLIMIT_DATA, &limit);
}

}  // namespace genera::zoo
