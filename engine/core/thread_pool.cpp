#include "engine/core/thread_pool.h"

#include "engine/core/floating_point_mode.h"

#include <fmt/format.h>
#include <genera/error.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace genera {
namespace {

constexpr int kMaxThreads = 256;
// Longer than the gap between two training steps, shorter than what a foreign process would notice.
constexpr std::chrono::microseconds kSpinTime{200};
// With more threads than processors, who spins keeps the one that it waits for from running: longer
// than the gap between two kernels is too long.
constexpr std::chrono::microseconds kCrowdedSpinTime{20};

// Set while this thread runs a range: nested calls then run serially.
thread_local bool inside_range = false;

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::clamp(CPU_COUNT(&set), 1, kMaxThreads);
  }
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
}

std::atomic<int>& wanted_threads() {
  static std::atomic<int> wanted{available_processors()};
  return wanted;
}

std::chrono::microseconds spin_time() {
  static const int processors = available_processors();
  const bool crowded = wanted_threads().load(std::memory_order_relaxed) > processors;
  return crowded ? kCrowdedSpinTime : kSpinTime;
}

// True as soon as ready() is, false when spin_time() is over first.
template <class Ready>
bool spin_until(const Ready& ready) {
  if (ready()) return true;
  const auto deadline = std::chrono::steady_clock::now() + spin_time();
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      pause_processor();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return false;
}

struct Range {
  detail::RangeFn call = nullptr;
  const void* body = nullptr;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  FloatingPointMode mode = 0;  ///< the caller's
};

void run_range(const Range& range) {
  inside_range = true;
  try {
    range.call(range.body, range.begin, range.end);
  } catch (...) {
    inside_range = false;
    throw;
  }
  inside_range = false;
}

enum State : int { kIdle, kPosted, kStop };

// One worker thread and the range it is asked to run. Whoever changes `state` from kPosted to
// kIdle, the worker or the caller that posted it, runs the range: so a call never waits for a
// worker that has not woken up yet.
class alignas(64) Worker {
 public:
  explicit Worker(std::atomic<int>* pending) : pending_(pending), thread_([this] { loop(); }) {}

  ~Worker() {
    state_.store(kStop, std::memory_order_release);
    state_.notify_one();
    thread_.join();
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void post(const Range& range) {
    range_ = range;
    error_ = nullptr;
    state_.store(kPosted, std::memory_order_seq_cst);
    state_.notify_one();
  }

  bool take_back() {
    int posted = kPosted;
    return state_.compare_exchange_strong(posted, kIdle, std::memory_order_acq_rel);
  }

  void run() {
    set_floating_point_mode(range_.mode);
    try {
      run_range(range_);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  std::exception_ptr take_error() { return std::exchange(error_, nullptr); }

 private:
  void loop() {
    for (;;) {
      const auto ready = [this] { return state_.load(std::memory_order_acquire) != kIdle; };
      if (!spin_until(ready)) state_.wait(kIdle, std::memory_order_acquire);
      if (state_.load(std::memory_order_acquire) == kStop) return;
      if (!take_back()) continue;
      run();
      if (pending_->fetch_sub(1, std::memory_order_acq_rel) == 1) pending_->notify_one();
    }
  }

  std::atomic<int> state_{kIdle};
  std::atomic<int>* pending_;
  Range range_;
  std::exception_ptr error_;
  std::thread thread_;
};

class Pool {
 public:
  /// False when another thread is using the pool: the caller then runs its body serially.
  bool run(std::int64_t tasks, detail::RangeFn call, const void* body);

  void stop() {
    const std::lock_guard<std::mutex> lock(owner_);
    stopped_ = true;
    workers_.clear();
  }

 private:
  void resize(int workers);

  std::mutex owner_;
  alignas(64) std::atomic<int> pending_{0};
  std::vector<std::unique_ptr<Worker>> workers_;
  bool stopped_ = false;
};

void Pool::resize(int workers) {
  const auto wanted = static_cast<std::size_t>(workers);
  if (workers_.size() > wanted) workers_.resize(wanted);
  try {
    while (workers_.size() < wanted) workers_.push_back(std::make_unique<Worker>(&pending_));
  } catch (const std::system_error&) {
    // The system has no thread left for us: go on with those that there are.
    wanted_threads().store(static_cast<int>(workers_.size()) + 1, std::memory_order_relaxed);
  }
}

bool Pool::run(std::int64_t tasks, detail::RangeFn call, const void* body) {
  const std::unique_lock<std::mutex> lock(owner_, std::try_to_lock);
  if (!lock.owns_lock() || stopped_) return false;
  const int wanted = wanted_threads().load(std::memory_order_relaxed);
  if (static_cast<int>(workers_.size()) != wanted - 1) resize(wanted - 1);

  const std::int64_t parts = std::min<std::int64_t>(tasks, static_cast<int>(workers_.size()) + 1);
  const auto start = [&](std::int64_t part) {
    return part * (tasks / parts) + std::min(part, tasks % parts);
  };
  const int helpers = static_cast<int>(parts) - 1;
  const FloatingPointMode mode = floating_point_mode();
  pending_.store(helpers, std::memory_order_relaxed);
  for (int i = 0; i < helpers; ++i)
    workers_[i]->post({call, body, start(i + 1), start(i + 2), mode});

  std::exception_ptr error;
  try {
    run_range({call, body, 0, start(1), mode});
  } catch (...) {
    error = std::current_exception();
  }
  for (int i = helpers - 1; i >= 0; --i) {
    if (!workers_[i]->take_back()) continue;
    workers_[i]->run();
    pending_.fetch_sub(1, std::memory_order_relaxed);
  }
  const auto finished = [this] { return pending_.load(std::memory_order_acquire) == 0; };
  if (!spin_until(finished)) {
    while (const int left = pending_.load(std::memory_order_acquire)) {
      pending_.wait(left, std::memory_order_acquire);
    }
  }
  for (int i = 0; i < helpers; ++i) {
    if (std::exception_ptr thrown = workers_[i]->take_error(); thrown && !error) error = thrown;
  }
  if (error) std::rethrow_exception(error);
  return true;
}

std::atomic<Pool*> current_pool{nullptr};

// Ends the workers before the process's last destructors run. The Pool itself is never freed, so
// that a late call from another static destructor still finds it, and runs serially.
struct PoolGuard {
  PoolGuard() {
    current_pool.store(new Pool);
    // A forked child has no workers: it starts a pool of its own, and the parent's is left alone.
    pthread_atfork(nullptr, nullptr, [] { current_pool.store(new Pool); });
  }
  ~PoolGuard() {
    if (!inside_range) current_pool.load()->stop();
  }
};

Pool& pool() {
  static const PoolGuard guard;
  return *current_pool.load(std::memory_order_acquire);
}

}  // namespace

int thread_count() { return wanted_threads().load(std::memory_order_relaxed); }

void set_thread_count(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw ArgumentError(
        fmt::format("[set_thread_count] threads must be 1 to {}, got {}", kMaxThreads, threads));
  }
  wanted_threads().store(threads, std::memory_order_relaxed);
}

namespace detail {

void parallel_for_ranges(std::int64_t tasks, RangeFn call, const void* body) {
  if (inside_range || thread_count() == 1 || !pool().run(tasks, call, body)) {
    call(body, 0, tasks);
  }
}

}  // namespace detail
}  // namespace genera
