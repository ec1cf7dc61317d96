#include <genera/error.h>
#include <genera/io.h>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "engine/io/byte_source.h"

namespace genera::io {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int reason) {
  const char* advice = "";
  switch (reason) {
    case ENOSPC:
    case EDQUOT:
      advice = "; free some space or choose another folder";
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      advice = "; choose a folder that you may write to";
      break;
    case ENOENT:
    case ENOTDIR:
      advice = "; create the folder first";
      break;
    default:
      break;
  }
  throw DiskError(fmt::format("[write_file] {}: {} ({}){}", printable(path.native()), what,
                              std::generic_category().message(reason), advice));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// /dev/stdout and its like: whatever the stream is, the link is the system's.
bool links_into_proc(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::read_symlink(path, error).native().starts_with("/proc/");
}

// A name that no other process or thread uses at this moment; O_EXCL settles what chance leaves.
std::filesystem::path temporary_name(const std::filesystem::path& path) {
  static std::atomic<unsigned> counter{0};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  // A long file name is cut, so that the temporary one stays within the 255 bytes that a name may
  // have.
  const std::string base = path.filename().native().substr(0, 180);
  return folder_of(path) / fmt::format(".{}.{}-{:x}-{}.tmp", base, ::getpid(),
                                       static_cast<unsigned long>(now.tv_nsec),
                                       counter.fetch_add(1));
}

/// The process in a name that temporary_name() made, or 0 for any other name.
pid_t writer_of(std::string_view name) {
  constexpr std::string_view digits = "0123456789", hex_digits = "0123456789abcdef";
  // The end of what is left of `name`, up to `separator`; it shrinks with each part taken.
  const auto take_back = [&name](char separator, std::string_view letters) -> std::string_view {
    const std::size_t at = name.rfind(separator);
    if (at == std::string_view::npos) return {};
    const std::string_view part = name.substr(at + 1);
    if (part.find_first_not_of(letters) != std::string_view::npos) return {};
    name = name.substr(0, at);
    return part;
  };
  if (!name.starts_with('.') || !name.ends_with(".tmp")) return 0;
  name.remove_suffix(4);
  if (take_back('-', digits).empty() || take_back('-', hex_digits).empty()) return 0;
  const std::string_view process = take_back('.', digits);
  if (name.empty()) return 0;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(process.data(), process.data() + process.size(), pid);
  return error == std::errc{} && end == process.data() + process.size() ? pid : 0;
}

/// A file that is deleted again unless it was put in its place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target) {
    for (int attempt = 0; file_ < 0; ++attempt) {
      path_ = temporary_name(target);
      file_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (file_ < 0 && errno != EINTR && (errno != EEXIST || attempt > 100))
        fail(target_, "cannot create a temporary file in its folder", errno);
    }
  }
  ~TemporaryFile() {
    if (file_ >= 0) ::close(file_);
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(target_, "cannot be written", errno);
      // A regular file accepts at least one byte or says why not; a loop without progress must not
      // be possible.
      if (count == 0) fail(target_, "cannot be written", EIO);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void take_mode_of(const struct stat& status) {
    // Best effort: a file system without modes must not stop a checkpoint.
    ::fchmod(file_, status.st_mode & 0777);
  }

  void sync_and_close() {
    int result = 0;
    do result = ::fsync(file_);
    while (result != 0 && errno == EINTR);
    if (result != 0) fail(target_, "cannot be brought to disk", errno);
    // Linux closes the descriptor even when close is interrupted.
    if (::close(std::exchange(file_, -1)) != 0 && errno != EINTR)
      fail(target_, "cannot be closed", errno);
  }

  void rename_to_target() {
    if (::rename(path_.c_str(), target_.c_str()) != 0)
      fail(target_, "cannot be put in place", errno);
    path_.clear();
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path path_;
  int file_ = -1;
};

void sync_folder(const std::filesystem::path& path) {
  const int folder = ::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A folder may be writable and not readable, and some file systems cannot sync folders: the file
  // itself is whole.
  if (folder < 0) return;
  int result = 0;
  do result = ::fsync(folder);
  while (result != 0 && errno == EINTR);
  const int reason = errno;
  ::close(folder);
  if (result != 0 && reason != EINVAL && reason != ENOTSUP && reason != EBADF)
    fail(path, "its folder cannot be brought to disk", reason);
}

// Gives the old file a second name first, so that at every moment one of the two is a whole file at
// `path`.
void keep_previous(const std::filesystem::path& path) {
  const std::filesystem::path previous = previous_path(path);
  const std::filesystem::path link = temporary_name(previous);
  if (::link(path.c_str(), link.c_str()) != 0) {
    // No hard links here (FAT, some network shares): then there is a moment without a file at
    // `path`.
    if (::rename(path.c_str(), previous.c_str()) != 0)
      fail(previous, "cannot be put in place", errno);
    return;
  }
  const int result = ::rename(link.c_str(), previous.c_str());
  const int reason = errno;
  // Where both names are the same file already, rename succeeds without removing the first.
  ::unlink(link.c_str());
  if (result != 0) fail(previous, "cannot be put in place", reason);
}

class BufferedWriter {
 public:
  explicit BufferedWriter(TemporaryFile& file) : file_(file) { buffer_.reserve(capacity); }
  void take(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > capacity) flush();
    if (bytes.size() > capacity)
      file_.write(bytes);
    else
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  void flush() {
    file_.write(buffer_);
    buffer_.clear();
  }

 private:
  static constexpr std::size_t capacity = std::size_t{1} << 16;
  TemporaryFile& file_;
  std::vector<std::byte> buffer_;
};

}  // namespace

std::filesystem::path previous_path(const std::filesystem::path& path) {
  std::filesystem::path previous = path;
  previous += ".prev";
  return previous;
}

void remove_leftovers(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> leftovers;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    const pid_t writer = writer_of(at->path().filename().native());
    if (writer == 0) continue;
    // In a container every run may have the same process number: what bears ours is old, too.
    const bool runs = writer != ::getpid() && (::kill(writer, 0) == 0 || errno != ESRCH);
    if (!runs) leftovers.push_back(at->path());
  }
  for (const std::filesystem::path& path : leftovers) std::filesystem::remove(path, error);
}

void write_file_atomically(const std::filesystem::path& path,
                           const std::function<void(const Sink&)>& writer,
                           const WriteOptions& options) {
  if (!path.has_filename()) fail(path, "is not the name of a file", EISDIR);
  struct stat status {};
  const bool is_there = ::lstat(path.c_str(), &status) == 0;
  const bool is_file = is_there && S_ISREG(status.st_mode);
  // A link to a file gives way to the file; one to a device or a stream (/dev/stdout) must stay.
  struct stat target {};
  if (is_there && ((::stat(path.c_str(), &target) == 0 && !S_ISREG(target.st_mode)) ||
                   (!is_file && links_into_proc(path))))
    fail(path, "is there already and is not a file", S_ISDIR(target.st_mode) ? EISDIR : EEXIST);

  TemporaryFile file(path);
  BufferedWriter buffer(file);
  writer([&](std::span<const std::byte> bytes) { buffer.take(bytes); });
  buffer.flush();
  if (is_file) file.take_mode_of(status);
  file.sync_and_close();
  if (is_file && options.keep_previous) keep_previous(path);
  file.rename_to_target();
  sync_folder(path);
}

void write_file_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                           const WriteOptions& options) {
  write_file_atomically(
      path, [&](const Sink& sink) { sink(bytes); }, options);
}

}  // namespace genera::io
