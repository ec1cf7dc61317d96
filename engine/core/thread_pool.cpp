#include "engine/core/thread_pool.h"

#include "engine/core/floating_point_mode.h"

#include <fmt/format.h>
#include <genera/error.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace genera {
namespace {

constexpr int kMaxThreads = Shares::most_parts;
// Longer than the gap between two training steps, shorter than what a foreign process would notice.
constexpr std::chrono::microseconds kSpinTime{200};
// With more threads than processors, who spins keeps the one that it waits for from running: longer
// than the gap between two kernels is too long.
constexpr std::chrono::microseconds kCrowdedSpinTime{20};

// Ranges of fewer tasks each are too coarse to be cut unequally, or to tell speeds by.
constexpr std::int64_t kFineTasks = 16;
// Shorter work says more about waking up than about speed.
constexpr float kShortestMeasured = 20e-6f;
// How much the last measurement counts, and by how much one may differ from what was known: a thread
// that loses its processor for a moment is not slow.
constexpr float kNewest = 0.3f, kLargestChange = 0.5f, kLeastSpeed = 0.2f;
// Speeds that differ less from their mean count as equal.
constexpr float kSameSpeed = 0.06f;

// By thread, the caller first, around 1. Whoever runs the pool writes them.
std::array<std::atomic<float>, kMaxThreads>& speeds() {
  static std::array<std::atomic<float>, kMaxThreads> values;
  static const bool filled = [] {
    for (std::atomic<float>& value : values) value.store(1.0f, std::memory_order_relaxed);
    return true;
  }();
  static_cast<void>(filled);
  return values;
}

class Clock {
 public:
  float seconds() const {
    return std::chrono::duration<float>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

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
    const Clock clock;
    set_floating_point_mode(range_.mode);
    try {
      run_range(range_);
    } catch (...) {
      error_ = std::current_exception();
    }
    seconds_ = clock.seconds();
  }

  std::int64_t size() const { return range_.end - range_.begin; }
  float seconds() const { return seconds_; }
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
  float seconds_ = 0;
  std::thread thread_;
};

class Pool {
 public:
  /// False when another thread is using the pool: the caller then runs its body serially.
  bool run(std::int64_t tasks, detail::RangeFn call, const void* body, const Shares* shares,
           std::int64_t units);

  void stop() {
    const std::lock_guard<std::mutex> lock(owner_);
    stopped_ = true;
    workers_.clear();
  }

 private:
  void resize(int workers);
  void measure(const Shares& shares, std::int64_t units, float seconds);

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

// The caller took `seconds`, the workers what they noted.
void Pool::measure(const Shares& shares, std::int64_t units, float seconds) {
  const auto parts = static_cast<std::size_t>(shares.parts());
  std::array<float, kMaxThreads> speed;
  float sum = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    const auto part = static_cast<std::int64_t>(i);
    const auto amount =
        static_cast<float>(shares.begin(units, part + 1) - shares.begin(units, part));
    const float took = i == 0 ? seconds : workers_[i - 1]->seconds();
    if (took < kShortestMeasured || amount == 0) return;
    speed[i] = amount / took;
    sum += speed[i];
  }
  for (std::size_t i = 0; i < parts; ++i) {
    const float known = speeds()[i].load(std::memory_order_relaxed);
    const float change = speed[i] / sum * static_cast<float>(parts) - known;
    const float most = kLargestChange * known;
    speeds()[i].store(std::max(kLeastSpeed, known + kNewest * std::clamp(change, -most, most)),
                      std::memory_order_relaxed);
  }
}

bool Pool::run(std::int64_t tasks, detail::RangeFn call, const void* body, const Shares* given,
               std::int64_t units) {
  const std::unique_lock<std::mutex> lock(owner_, std::try_to_lock);
  if (!lock.owns_lock() || stopped_) return false;
  const int wanted = wanted_threads().load(std::memory_order_relaxed);
  if (static_cast<int>(workers_.size()) != wanted - 1) resize(wanted - 1);

  const std::int64_t parts = std::min<std::int64_t>(tasks, static_cast<int>(workers_.size()) + 1);
  std::optional<Shares> fine;  // of a range that can be cut about anywhere
  if (given == nullptr && tasks >= kFineTasks * parts) fine.emplace(parts);
  const auto start = [&](std::int64_t part) {
    return fine ? fine->begin(tasks, part) : part * tasks / parts;
  };
  const int helpers = static_cast<int>(parts) - 1;
  const FloatingPointMode mode = floating_point_mode();
  pending_.store(helpers, std::memory_order_relaxed);
  for (int i = 0; i < helpers; ++i)
    workers_[i]->post({call, body, start(i + 1), start(i + 2), mode});

  std::exception_ptr error;
  bool measured = true;
  const Clock clock;
  try {
    run_range({call, body, 0, start(1), mode});
  } catch (...) {
    error = std::current_exception();
  }
  const float seconds = clock.seconds();
  for (int i = helpers - 1; i >= 0; --i) {
    if (!workers_[i]->take_back()) continue;
    measured = false;
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
  // With fewer threads than parts, as after a failed start of threads, no thread did one part.
  if (given != nullptr && given->parts() == parts && measured) measure(*given, units, seconds);
  if (fine && measured) measure(*fine, tasks, seconds);
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

Shares::Shares(std::int64_t parts) : parts_(parts) {
  const auto count = static_cast<std::size_t>(parts);
  float sum = 0, least = std::numeric_limits<float>::max(), most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float speed = speeds()[i].load(std::memory_order_relaxed);
    begin_[i] = sum;
    sum += speed;
    least = std::min(least, speed);
    most = std::max(most, speed);
  }
  begin_[count] = sum;
  const float mean = sum / static_cast<float>(parts);
  equal_ = most - mean < kSameSpeed * mean && mean - least < kSameSpeed * mean;
  for (std::size_t i = 0; i <= count; ++i) begin_[i] /= sum;
}

std::int64_t Shares::begin(std::int64_t units, std::int64_t part) const {
  if (equal_ || part == parts_) return units * part / parts_;
  return static_cast<std::int64_t>(
      std::llround(double(begin_[static_cast<std::size_t>(part)]) * double(units)));
}

int thread_count() { return wanted_threads().load(std::memory_order_relaxed); }

void set_thread_count(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw ArgumentError(
        fmt::format("[set_thread_count] threads must be 1 to {}, got {}", kMaxThreads, threads));
  }
  wanted_threads().store(threads, std::memory_order_relaxed);
}

namespace detail {

void parallel_for_ranges(std::int64_t tasks, RangeFn call, const void* body, const Shares* shares,
                         std::int64_t units) {
  if (inside_range || thread_count() == 1 || !pool().run(tasks, call, body, shares, units)) {
    call(body, 0, tasks);
  }
}

}  // namespace detail
}  // namespace genera
