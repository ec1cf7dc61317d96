#include <genera/error.h>
#include <genera/io.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/io_files.h"

using namespace genera;
using namespace io_test;

namespace {

// No file may become larger than `bytes` while this lives: the kernel then writes a part, and
// refuses the rest.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("write_file: whole files, in one piece or many") {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  io::write_file_atomically(path, bytes_of("first"));
  CHECK(read_plain(path) == bytes_of("first"));
  Bytes expected;
  io::write_file_atomically(path, [&](const io::Sink& sink) {
    for (std::size_t size : {1U, 0U, 70000U, 65535U, 2U, 65536U, 65537U, 300000U, 5U}) {
      Bytes piece(size, static_cast<std::byte>(size * 31 + 7));
      sink(piece);
      expected.insert(expected.end(), piece.begin(), piece.end());
    }
  });
  CHECK(read_plain(path) == expected);
  io::write_file_atomically(path, Bytes{});
  CHECK(read_plain(path).empty());
  CHECK(folder.files() == 1);

  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  io::write_file_atomically("relative", bytes_of("r"));
  std::filesystem::current_path(before);
  CHECK(read_plain(folder / "relative") == bytes_of("r"));
  const std::string longest(255, 'n');
  io::write_file_atomically(folder / longest, bytes_of("n"));
  CHECK(folder.files() == 3);
}

TEST_CASE("write_file: modes follow the umask, and then the file that was there") {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  const auto mode = [&] {
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 0777;
  };
  const mode_t before = ::umask(027);
  io::write_file_atomically(path, bytes_of("1"));
  CHECK(mode() == 0640);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  io::write_file_atomically(path, bytes_of("2"));
  ::umask(before);
  CHECK(mode() == 0600);
}

TEST_CASE("write_file: keeps the previous file") {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  const io::WriteOptions keep{.keep_previous = true};
  io::write_file_atomically(path, bytes_of("1"), keep);
  CHECK(folder.files() == 1);
  io::write_file_atomically(path, bytes_of("2"), keep);
  CHECK(read_plain(io::previous_path(path)) == bytes_of("1"));
  io::write_file_atomically(path, bytes_of("3"));
  CHECK(read_plain(io::previous_path(path)) == bytes_of("1"));
  // As a crash between the two renames leaves it: both names are one file.
  std::filesystem::remove(io::previous_path(path));
  std::filesystem::create_hard_link(path, io::previous_path(path));
  io::write_file_atomically(path, bytes_of("4"), keep);
  CHECK(read_plain(path) == bytes_of("4"));
  CHECK(read_plain(io::previous_path(path)) == bytes_of("3"));
  CHECK(folder.files() == 2);
}

TEST_CASE("write_file: a failure leaves the old file and nothing else") {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  io::write_file_atomically(path, bytes_of("old"));

  CHECK_THROWS_AS(io::write_file_atomically(path,
                                            [](const io::Sink& sink) {
                                              sink(Bytes(100000));
                                              throw Cancelled("stopped");
                                            }),
                  Cancelled);
  {
    const FileSizeLimit limit(150000);
    for (const bool keep : {false, true})
      CHECK(mentions(error_of<DiskError>([&] {
                       io::write_file_atomically(path, Bytes(200000), {.keep_previous = keep});
                     }),
                     "[write_file]", "x: cannot be written", "File too large"));
  }
  CHECK(read_plain(path) == bytes_of("old"));
  CHECK(folder.files() == 1);
}

TEST_CASE("write_file: places where nothing can be written") {
  const TemporaryFolder folder;
  const auto refusal = [](const std::filesystem::path& path) {
    return error_of<DiskError>([&] { io::write_file_atomically(path, bytes_of("x")); });
  };
  CHECK(mentions(refusal(folder / "no/x"), "No such file", "create the folder"));
  CHECK(mentions(refusal(folder.path()), "is not a file"));
  CHECK(mentions(refusal(folder / ""), "not the name of a file"));
  CHECK(mentions(refusal(""), "not the name of a file"));
  CHECK(mentions(refusal("/dev/null"), "is not a file"));
  io::write_file_atomically(folder / "file", bytes_of("x"));
  CHECK(mentions(refusal(folder / "file/x"), "Not a directory"));

  const auto locked = folder / "locked";
  std::filesystem::create_directory(locked);
  REQUIRE(::chmod(locked.c_str(), 0555) == 0);
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  // The superuser may write everywhere, so become nobody for a moment.
  const uid_t user = ::geteuid();
  constexpr uid_t nobody = 65534;
  if (user == 0) REQUIRE(::seteuid(nobody) == 0);
  const std::string text = refusal(locked / "x");
  if (user == 0) REQUIRE(::seteuid(user) == 0);
  CHECK(mentions(text, "Permission denied", "choose a folder"));
}

TEST_CASE("write_file: a symbolic link is replaced, its target left alone") {
  const TemporaryFolder folder;
  io::write_file_atomically(folder / "target", bytes_of("target"));
  std::filesystem::create_symlink("target", folder / "link");
  io::write_file_atomically(folder / "link", bytes_of("new"), {.keep_previous = true});
  CHECK(read_plain(folder / "target") == bytes_of("target"));
  CHECK(read_plain(folder / "link") == bytes_of("new"));
  CHECK_FALSE(std::filesystem::is_symlink(folder / "link"));
}

TEST_CASE("write_file: a symbolic link to what is not a file stays") {
  const TemporaryFolder folder;
  io::write_file_atomically(folder / "stream", bytes_of("x"));
  const int open = ::open((folder / "stream").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(open >= 0);
  for (const std::string& target :
       {std::string("/dev/null"), std::string("."), "/proc/self/fd/" + std::to_string(open)}) {
    CAPTURE(target);
    const auto link = folder / "link";
    std::filesystem::create_symlink(target, link);
    CHECK(mentions(error_of<DiskError>([&] { io::write_file_atomically(link, bytes_of("x")); }),
                   "is not a file"));
    CHECK(std::filesystem::is_symlink(link));
    std::filesystem::remove(link);
  }
  ::close(open);
}

TEST_CASE("write_file: two writers never mix") {
  const TemporaryFolder folder;
  const auto path = folder / "x";
  const auto write = [&](char letter) {
    for (int i = 0; i < 20; ++i)
      io::write_file_atomically(path, bytes_of(std::string(200000, letter)),
                                {.keep_previous = true});
  };
  std::thread other(write, 'b');
  write('a');
  other.join();
  const Bytes bytes = read_plain(path);
  CHECK(bytes == Bytes(200000, bytes.at(0)));
  CHECK(folder.files() == 2);
}

TEST_CASE("remove_leftovers: what a killed writer left goes, everything else stays") {
  const TemporaryFolder folder;
  const auto path = folder / "x.safetensors";
  io::write_file_atomically(path, bytes_of("old"));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    io::write_file_atomically(path, [](const io::Sink& sink) {
      sink(Bytes(100000));
      ::raise(SIGKILL);
    });
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  REQUIRE(folder.files() == 2);

  const std::string gone = std::to_string(child);
  const std::string kept[] = {".x.1-0-0.tmp",  // process 1 always runs
                              "x." + gone + "-0-0.tmp",
                              "." + gone + "-0-0.tmp",
                              ".x." + gone + "-0-0",
                              ".x." + gone + "-0g-0.tmp",
                              ".x." + gone + "-0-.tmp",
                              ".x.y" + gone + "-0-0.tmp",
                              ".x.99999999999999999999-0-0.tmp",
                              ".tmp"};
  for (const std::string& name : kept) write_plain(folder / name, bytes_of("mine"));
  for (const std::string& name :
       {".x." + gone + "-3b9ac9ff-12.tmp", ".a.b." + std::to_string(::getpid()) + "-0-0.tmp"})
    write_plain(folder / name, bytes_of("stale"));
  io::remove_leftovers(folder.path());
  CHECK(folder.files() == 1 + std::size(kept));
  for (const std::string& name : kept) CHECK(std::filesystem::exists(folder / name));
  CHECK(read_plain(path) == bytes_of("old"));
  io::remove_leftovers(folder / "none");
}
