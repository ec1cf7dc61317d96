#include "zoo/common/appended_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "zoo/common/console.h"

namespace genera::zoo {
namespace {

// Appends `bytes` at `offset`, where a failed attempt before may have left a part of them.
bool write_at(const std::filesystem::path& path, std::int64_t offset, const std::string& bytes) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) return false;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = pwrite(descriptor, bytes.data() + done, bytes.size() - done,
                             offset + static_cast<std::int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  const int reason = errno;
  const bool complete = done == bytes.size();
  if (!complete && ftruncate(descriptor, offset) != 0) errno = reason;
  const bool closed = close(descriptor) == 0;
  if (!complete) errno = reason;
  return complete && closed;
}

}  // namespace

AppendedFile::AppendedFile(std::filesystem::path path, std::int64_t kept_bytes, Console& console)
    : path_(std::move(path)), console_(console), written_bytes_(kept_bytes) {
  std::error_code missing;
  std::filesystem::resize_file(path_, static_cast<std::uintmax_t>(written_bytes_), missing);
}

bool AppendedFile::flush() {
  if (pending_.empty()) return true;
  if (!write_at(path_, written_bytes_, pending_)) {
    console_.warn_once(fmt::format("{} could not be written ({}); training goes on", path_.string(),
                                   std::strerror(errno)));
    return false;
  }
  written_bytes_ += static_cast<std::int64_t>(pending_.size());
  pending_.clear();
  return true;
}

}  // namespace genera::zoo
