/// Memory of tensor values: reference-counted blocks from a caching allocator.
#pragma once

#include <genera/export.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace genera {

/// Memory that a backend's device has for itself. An address may be added to and compared, never followed by the host. Calls are
/// made in the order in which their effects show.
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  /// MemoryError when there is no more. An address even for 0 bytes.
  virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* address) noexcept = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;
  /// Sets `bytes`, a multiple of 4, to `word` over and over.
  virtual void fill(void* to, std::uint32_t word, std::size_t bytes) = 0;
};

/// A block of host memory, aligned to 64 bytes, or of a device's. Freed host blocks are kept for reuse by size class.
class Storage {
 public:
  /// Throws MemoryError when the system has no more, or the cap (memory_cap) would be passed.
  static Storage* allocate(std::size_t bytes);
  /// In `memory`, which must outlive it; null: the host's.
  static Storage* allocate_in(DeviceMemory* memory, std::size_t bytes);

  void* data() const { return data_; }
  /// Whose memory data() is an address in; null: the host's.
  DeviceMemory* memory() const { return memory_; }
  std::size_t bytes() const { return bytes_; }
  /// The least and the largest of its numbers, where somebody looked; whoever writes into a block forgets them.
  std::optional<std::pair<std::int32_t, std::int32_t>> integer_range;
  /// Acquires: who sees that nobody else holds the block may write into it, after all that the
  /// others read.
  std::uint32_t references() const { return references_.load(std::memory_order_acquire); }
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) free_block(this);
  }

 private:
  friend class StoragePool;
  static void free_block(Storage* storage);

  std::atomic<std::uint32_t> references_{1};
  int size_class_ = 0;
  std::size_t bytes_ = 0;
  void* data_ = nullptr;
  DeviceMemory* memory_ = nullptr;
};

/// Owning pointer to a Storage.
class StorageRef {
 public:
  StorageRef() = default;
  explicit StorageRef(Storage* owned) : storage_(owned) {}
  StorageRef(const StorageRef& other) : storage_(other.storage_) {
    if (storage_) storage_->retain();
  }
  StorageRef(StorageRef&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  StorageRef& operator=(StorageRef other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~StorageRef() {
    if (storage_) storage_->release();
  }
  Storage* get() const { return storage_; }
  /// True when this is the only reference.
  bool unique() const { return storage_ && storage_->references() == 1; }
  Storage* operator->() const { return storage_; }
  explicit operator bool() const { return storage_ != nullptr; }
  void reset() { *this = StorageRef(); }

 private:
  Storage* storage_ = nullptr;
};

/// The same bytes in `memory` (null: the host's): `storage` itself where it lies there.
StorageRef in_memory(const StorageRef& storage, DeviceMemory* memory);

/// Memory straight from the system on huge pages where there are any, for arenas and large blocks. Never null.
void* map_memory(std::size_t bytes);
void unmap_memory(void* data, std::size_t bytes);

struct StorageCounters {
  std::size_t live_bytes = 0;      ///< held by tensors
  std::size_t cached_bytes = 0;    ///< kept for reuse
  std::size_t mapped_bytes = 0;    ///< taken from the system, arenas included
  std::uint64_t system_calls = 0;  ///< how often memory was taken from the system
};
StorageCounters storage_counters();
void set_storage_cap(std::size_t bytes);  ///< 0: none
/// Gives cached blocks back to the system.
void trim_storage();

}  // namespace genera
