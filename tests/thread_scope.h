/// A number of threads for a part of a test.
#pragma once

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

}  // namespace genera
