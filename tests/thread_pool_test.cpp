#include "engine/core/thread_pool.h"

#include <doctest/doctest.h>
#include <genera/error.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/thread_scope.h"

namespace genera {
namespace {

TEST_CASE("parallel_for visits every task exactly once, for any thread count") {
  for (int threads : {1, 2, 3, 4, 7}) {
    const ThreadScope scope(threads);
    for (std::int64_t tasks : {0, 1, 2, 3, 5, 16, 1000}) {
      std::vector<int> visits(static_cast<std::size_t>(tasks), 0);
      std::atomic<int> ranges{0};
      parallel_for(tasks, [&](std::int64_t begin, std::int64_t end) {
        CHECK(begin < end);
        ++ranges;
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      CHECK(ranges == std::min<std::int64_t>(tasks, threads));
      for (int count : visits) CHECK(count == 1);
    }
  }
}

TEST_CASE("parallel_parts does every unit exactly once, whatever the threads' speeds") {
  for (const int threads : {1, 2, 3, 4}) {
    for (const bool unequal : {false, true}) {
      std::optional<UnequalSpeeds> speeds;
      if (unequal && threads > 1) speeds.emplace(threads);
      const ThreadScope scope(threads);
      for (const std::int64_t parts : {1, threads}) {
        for (const std::int64_t units : {0, 1, 2, 3, 7, 100, 1000}) {
          std::vector<std::atomic<int>> visits(static_cast<std::size_t>(units));
          std::atomic<int> calls{0};
          const Shares shares(parts);
          CHECK(shares.begin(units, 0) == 0);
          CHECK(shares.begin(units, parts) == units);
          parallel_parts(shares, units,
                         [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
                           ++calls;
                           CHECK(begin == shares.begin(units, part));
                           CHECK(begin <= end);
                           for (; begin < end; ++begin) ++visits[static_cast<std::size_t>(begin)];
                         });
          CHECK(calls == parts);
          for (const std::atomic<int>& count : visits) CHECK(count == 1);
        }
      }
    }
  }
}

TEST_CASE("shares follow the threads' speeds, there and back") {
  {
    const UnequalSpeeds speeds(2);
    CHECK(speeds.known());
    CHECK_FALSE(Shares(2).equal());
    // A range that can be cut anywhere is cut by them, one of few tasks is not.
    const ThreadScope scope(2);
    const auto first_range = [](std::int64_t tasks) {
      std::atomic<std::int64_t> size{0};
      parallel_for(tasks, [&](std::int64_t begin, std::int64_t end) {
        if (begin == 0) size = end;
      });
      return size.load();
    };
    CHECK(first_range(1000) >= 600);
    CHECK(first_range(4) == 2);
  }
  CHECK(Shares(2).equal());
}

TEST_CASE("parallel_parts: shares of more threads than there are now") {
  const UnequalSpeeds speeds(3);
  const Shares shares(4);
  const ThreadScope scope(2);
  const std::int64_t before = Shares(3).begin(1000, 1);
  std::atomic<int> calls{0};
  for (int round = 0; round < 20; ++round)
    parallel_parts(shares, 40, [&](std::int64_t, std::int64_t, std::int64_t) {
      ++calls;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    });
  CHECK(calls == 80);
  CHECK(Shares(3).begin(1000, 1) == before);  // says nothing about single threads' speeds
}

TEST_CASE("parallel_for: the thread count changes at run time and is checked") {
  for (int round = 0; round < 20; ++round) {
    const ThreadScope scope(1 + round % 4);
    std::atomic<std::int64_t> sum{0};
    parallel_for(100, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) sum += i;
    });
    CHECK(sum == 4950);
  }
  CHECK_THROWS_AS(set_thread_count(0), ArgumentError);
  CHECK_THROWS_AS(set_thread_count(257), ArgumentError);
}

TEST_CASE("parallel_for: a nested call runs serially") {
  const ThreadScope scope(3);
  std::atomic<int> inner_ranges{0};
  std::atomic<std::int64_t> sum{0};
  parallel_for(3, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      parallel_for(10, [&](std::int64_t inner_begin, std::int64_t inner_end) {
        ++inner_ranges;
        sum += inner_end - inner_begin;
      });
    }
  });
  CHECK(inner_ranges == 3);
  CHECK(sum == 30);
}

TEST_CASE("parallel_for: exceptions reach the caller and leave the pool usable") {
  const ThreadScope scope(4);
  for (std::int64_t bad : {0, 1, 3}) {
    CHECK_THROWS_AS(parallel_for(4,
                                 [&](std::int64_t begin, std::int64_t end) {
                                   if (begin <= bad && bad < end) throw std::out_of_range("x");
                                 }),
                    std::out_of_range);
  }
  // Of several, the one of the lowest range: the same on every run.
  for (int round = 0; round < 50; ++round) {
    try {
      parallel_for(4, [&](std::int64_t begin, std::int64_t) {
        throw std::runtime_error(std::to_string(begin));
      });
      CHECK(false);
    } catch (const std::runtime_error& error) {
      CHECK(std::string(error.what()) == "0");
    }
  }
  std::atomic<int> visits{0};
  parallel_for(4, [&](std::int64_t begin, std::int64_t end) { visits += int(end - begin); });
  CHECK(visits == 4);
}

TEST_CASE("parallel_for: several user threads at once") {
  const ThreadScope scope(3);
  std::vector<std::thread> users;
  std::atomic<int> wrong{0};
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        std::vector<int> values(17, 0);
        parallel_for(17, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) values[static_cast<std::size_t>(i)] = 1;
        });
        if (std::accumulate(values.begin(), values.end(), 0) != 17) ++wrong;
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(wrong == 0);
}

TEST_CASE("parallel_for: parked workers wake up, uneven ranges are waited for") {
  const ThreadScope scope(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round * 20));
    std::atomic<int> done{0};
    parallel_for(2, [&](std::int64_t begin, std::int64_t end) {
      if (begin == round % 2) std::this_thread::sleep_for(std::chrono::microseconds(200));
      done += int(end - begin);
    });
    CHECK(done == 2);
  }
}

// ThreadSanitizer ends a forked child that starts threads.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GENERA_NO_FORK_TEST
#endif
#endif
#if !defined(GENERA_NO_FORK_TEST) && !defined(__SANITIZE_THREAD__)
TEST_CASE("parallel_for works in a forked child") {
  const ThreadScope scope(2);
  parallel_for(2, [](std::int64_t, std::int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> done{0};
    parallel_for(8, [&](std::int64_t begin, std::int64_t end) { done += int(end - begin); });
    _exit(done == 8 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

// In a child that may start no thread.
bool does_every_part_alone() {
  const rlimit none{0, 0};
  if ((getuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0) return false;
  const ThreadScope scope(4);
  const Shares shares(4);
  int units = 0;
  parallel_parts(shares, 70, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    std::this_thread::sleep_for(std::chrono::microseconds(100));
    units += int(end - begin);
  });
  return units == 70 && thread_count() == 1;
}

TEST_CASE("parallel_parts: where the system refuses threads, the caller does every part") {
  const pid_t child = fork();
  if (child == 0) _exit(does_every_part_alone() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

}  // namespace
}  // namespace genera
