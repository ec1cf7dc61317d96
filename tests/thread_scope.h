/// A number of threads for a part of a test.
#pragma once

#include <chrono>
#include <thread>

#include "engine/core/thread_pool.h"

namespace genera {

/// Sets the number of threads while it lives.
class ThreadScope {
 public:
  explicit ThreadScope(int count) : before_(thread_count()) { set_thread_count(count); }
  ~ThreadScope() { set_thread_count(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// While it lives, the pool knows its later threads as slower: they took longer for the same work.
class UnequalSpeeds {
 public:
  explicit UnequalSpeeds(int threads) : threads_(threads) { teach(true); }
  ~UnequalSpeeds() { teach(false); }
  UnequalSpeeds(const UnequalSpeeds&) = delete;
  UnequalSpeeds& operator=(const UnequalSpeeds&) = delete;

  /// Whether the first thread's share is known to be larger by a fifth at least.
  bool known() const { return 5 * threads_ * Shares(threads_).begin(1000, 1) > 6 * 1000; }

 private:
  void teach(bool unequal) {
    const ThreadScope scope(threads_);
    for (int round = 0; round < 400 && (unequal ? !known() : !Shares(threads_).equal()); ++round) {
      const auto work = [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
        const std::int64_t per_unit = unequal ? 40 * (1 + part) : 40;
        std::this_thread::sleep_for(std::chrono::microseconds(per_unit * (end - begin)));
      };
      parallel_parts(Shares(threads_), 20 * threads_, work);
    }
  }

  int threads_;
};

}  // namespace genera
