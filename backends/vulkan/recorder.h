/// The open command buffer: what is recorded runs, in order, when it is submitted.
#pragma once

#include "backends/vulkan/allocator.h"
#include "backends/vulkan/hazards.h"
#include "backends/vulkan/pipeline.h"
#include "backends/vulkan/staging.h"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace genera::vulkan {

/// A range of device memory that a kernel sees.
struct Binding {
  Address address;
  std::uint64_t bytes;
  bool reads, writes;
};

struct Counters {
  std::uint64_t dispatches = 0, barriers = 0, submissions = 0;
  std::uint64_t waits = 0;      ///< for work whose result or end somebody wants
  std::uint64_t throttles = 0;  ///< for room to record, with two submissions under way
  std::uint64_t uploaded = 0, downloaded = 0;  ///< bytes
  std::uint64_t recordings = 0;                ///< made to be kept
  std::uint64_t recordings_kept = 0;           ///< submissions of one that was made before
};

/// Commands that are recorded once and may be submitted again and again. Whoever keeps one knows what they rest on: the addresses, the buffers behind them
/// (Allocator::generation()), the pipelines.
struct Recording {
  VkCommandBuffer commands = VK_NULL_HANDLE;
  Tick tick = 0;  ///< of its latest submission
  std::uint64_t dispatches = 0, barriers = 0;
  Hazards hazards;  ///< at its end
};

/// Two command buffers in turn, and recordings that others keep. Hazards are followed from one submission to the next, so that whatever one uses may have been
/// used by earlier ones.
class Recorder {
 public:
  explicit Recorder(Device& device);
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder();
  /// Where addresses lie; before anything is recorded.
  void set_allocator(const Allocator& allocator) { allocator_ = &allocator; }

  void dispatch(const Pipeline& pipeline, std::span<const Binding> bindings, std::uint32_t groups);
  void fill(Address to, std::uint32_t word, std::uint64_t bytes);
  void copy(Address to, Address from, std::uint64_t bytes);
  /// Records the copy; the bytes at `from` are free at once.
  void upload(Address to, const void* from, std::uint64_t bytes);
  /// Submits and waits.
  void download(void* to, Address from, std::uint64_t bytes);

  /// Hands over what was recorded, if anything; `what` names it in errors.
  void submit(std::string_view what);
  /// Records what `record` dispatches, behind a full barrier, in place of what `recording` had. Nothing is handed over.
  void record(Recording& recording, const std::function<void()>& record);
  /// Hands over what was recorded for itself, then `recording`, as one submission.
  void submit(Recording& recording, std::string_view what);
  /// Returns when the device is done with `recording` and at most one submission is under way: then it may be recorded or submitted again.
  void wait_for(const Recording& recording);
  /// Frees its commands; only when the device is done with them.
  void release(Recording& recording);
  /// Submits, and returns when the device is done with everything.
  void finish(std::string_view what);
  /// Work recorded since the last submission, in operations and bytes: whoever records adds to it, a submission sets it to 0.
  std::uint64_t pending_work = 0;

  /// The open command buffer, for commands of one's own, which dispatch() may not follow: whoever adds some orders them.
  VkCommandBuffer open();

  const Counters& counters() const { return counters_; }

 private:
  struct Slot {
    VkCommandBuffer commands = VK_NULL_HANDLE;
    Tick tick = 0;
  };
  /// What target_ has bound.
  struct Bound {
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkPipelineLayout layout = VK_NULL_HANDLE;
    std::array<VkDescriptorBufferInfo, most_bindings> ranges{};
  };
  VkCommandBuffer new_commands();
  void bind(const Pipeline& pipeline, std::span<const VkDescriptorBufferInfo> ranges);
  void hand_over(VkCommandBuffer behind, std::string_view what);
  void throttle(Tick tick);
  void barrier(bool to_host);
  void order(const std::vector<Access>& accesses);
  Staging::Part stage(std::uint64_t bytes);

  Device& device_;
  const Allocator* allocator_ = nullptr;
  Staging staging_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  std::array<Slot, 2> slots_;
  std::size_t slot_ = 0;
  VkCommandBuffer target_ = VK_NULL_HANDLE;  // what commands go into; null: nothing is open
  Bound bound_;
  Tick finished_ = 0;  // what finish() has waited for
  Hazards hazards_;
  std::vector<Access> accesses_;
  Counters counters_;
};

}  // namespace genera::vulkan
