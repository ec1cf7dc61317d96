#include "zoo/common/run_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <genera/error.h>
#include <genera/io.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "zoo/common/failure.h"

namespace genera::zoo {
namespace {

namespace fs = std::filesystem;

// True when this call made the folder: of two programs that try, one.
bool make_folder(const fs::path& path) {
  std::error_code error;
  const bool made = fs::create_directory(path, error);
  if (error && !fs::exists(path))
    throw DiskError(fmt::format("folder {} cannot be made: {}", path.string(), error.message()));
  return made;
}

void make_parents(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error)
    throw DiskError(
        fmt::format("folder {} cannot be made: {}", path.parent_path().string(), error.message()));
}

// A pipe would be waited for, and a device may have no end.
void check_files(const RunFolder& folder) {
  for (const fs::path& path :
       {folder.config(), folder.manifest(), folder.metrics(), folder.summary(), folder.events()})
    if (std::error_code error; fs::exists(path, error) && !fs::is_regular_file(path, error))
      throw DataError(fmt::format("{} is not a regular file", path.string()));
}

void make_inner_folders(const fs::path& path) {
  make_folder(path / "samples");
  make_folder(path / "checkpoints");
}

}  // namespace

RunFolder RunFolder::create(const std::string& out, const std::string& program,
                            const std::string& model) {
  if (!out.empty()) {
    fs::path path = fs::path(out).lexically_normal();
    if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
    make_parents(path);
    if (!make_folder(path))
      throw UsageError(
          fmt::format("{} is there already, and runs are never overwritten: choose another --out, "
                      "or --resume it",
                      path.string()));
    make_inner_folders(path);
    return RunFolder(path);
  }
  for (int n = 1;; ++n) {
    const fs::path path = fs::path("runs") / fmt::format("{}-{}-{}", program, model, n);
    make_parents(path);
    if (!make_folder(path)) continue;
    make_inner_folders(path);
    return RunFolder(path);
  }
}

RunFolder RunFolder::open(const std::string& run) {
  const fs::path path = run;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    RunFolder folder(path);
    if (!fs::exists(folder.config(), error))
      throw DataError(fmt::format(
          "{} is no run folder: it has no config.toml; name a folder that `train` wrote", run));
    check_files(folder);
    return folder;
  }
  if (!fs::exists(path, error))
    throw DataError(fmt::format("{}: there is no such run folder or checkpoint", run));
  RunFolder folder(fs::absolute(path).parent_path().parent_path());
  folder.given_checkpoint_ = path;
  if (!fs::exists(folder.config(), error))
    throw DataError(
        fmt::format("{} does not lie in the checkpoints folder of a run: there is no {}", run,
                    folder.config().string()));
  check_files(folder);
  return folder;
}

fs::path RunFolder::sample(std::int64_t step, const std::string& extension) const {
  return path_ / "samples" / fmt::format("step_{:07}.{}", step, extension);
}

fs::path RunFolder::checkpoint_to_read() const {
  if (!given_checkpoint_.empty()) return given_checkpoint_;
  std::error_code error;
  return fs::exists(best_checkpoint(), error) ? best_checkpoint() : last_checkpoint();
}

fs::path RunFolder::checkpoint_to_resume() const {
  return given_checkpoint_.empty() ? last_checkpoint() : given_checkpoint_;
}

bool RunFolder::has_checkpoint() const {
  const fs::path last = checkpoint_to_resume();
  std::error_code error;
  return fs::exists(last, error) || fs::exists(io::previous_path(last), error) ||
         fs::exists(best_checkpoint(), error);
}

void RunFolder::check_program(const std::string& program) const {
  std::ifstream file(manifest());
  const auto found = nlohmann::json::parse(file, nullptr, false);
  if (!found.is_object() || !found.contains("program") || !found["program"].is_string()) return;
  if (const std::string maker = found["program"]; maker != program)
    throw DataError(fmt::format("{} is a run of {}: {} cannot read it; use {}", path_.string(),
                                maker, program, maker));
}

void RunFolder::claim() {
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    throw DiskError(
        fmt::format("folder {} cannot be opened: {}", path_.string(), std::strerror(errno)));
  lock_ = std::shared_ptr<const int>(new int(descriptor), [](const int* open) {
    ::close(*open);
    delete open;
  });
  // A file system that knows no locks is no reason not to train.
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw Error(fmt::format("another process is training in {}: let it finish, or stop it first",
                            path_.string()));
  for (const fs::path& folder : {path_, path_ / "samples", path_ / "checkpoints"})
    io::remove_leftovers(folder);
}

void write_text(const fs::path& path, const std::string& text) {
  io::write_file_atomically(path, std::as_bytes(std::span<const char>(text)));
}

}  // namespace genera::zoo
