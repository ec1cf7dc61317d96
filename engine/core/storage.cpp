#include "engine/core/storage.h"

#include <genera/error.h>

#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <memory>
#include <mutex>
#include <vector>

namespace genera {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
// from here on, whole huge pages straight from the system
constexpr std::size_t large_block = huge_page;
constexpr std::size_t chunk_bytes = std::size_t{4} << 20;

/// Four size classes per power of two, from 64 bytes on: at most a quarter of a block is wasted.
int class_of(std::size_t bytes) {
  if (bytes <= 64) return 0;
  const std::size_t n = bytes - 1;
  const int log = std::bit_width(n) - 1;  // 2^log <= n
  return (log - 6) * 4 + static_cast<int>((n >> (log - 2)) & 3) + 1;
}
std::size_t bytes_of_class(int size_class) {
  if (size_class == 0) return 64;
  const int log = (size_class - 1) / 4 + 6;
  const int quarter = (size_class - 1) % 4 + 1;
  const std::size_t bytes = (std::size_t{1} << log) + (std::size_t(quarter) << (log - 2));
  return (bytes + 63) / 64 * 64;
}

std::size_t round_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

/// Free lists by size class over memory that is never given back except by trim().
class StoragePool {
 public:
  static StoragePool& instance() {
    static auto* pool = new StoragePool;  // outlives every static Tensor
    return *pool;
  }

  Storage* allocate(std::size_t bytes) {
    const int size_class = class_of(bytes);
    const std::size_t rounded = bytes_of_class(size_class);
    std::lock_guard lock(mutex_);
    if (static_cast<std::size_t>(size_class) >= free_.size())
      free_.resize(static_cast<std::size_t>(size_class) + 1);
    auto& list = free_[static_cast<std::size_t>(size_class)];
    Storage* storage;
    if (!list.empty()) {
      storage = list.back();
      list.pop_back();
      counters_.cached_bytes -= rounded;
    } else {
      storage = fresh(rounded, size_class);
    }
    counters_.live_bytes += rounded;
    storage->references_.store(1, std::memory_order_relaxed);
    storage->bytes_ = bytes;
    storage->integer_range.reset();
    return storage;
  }

  void free_block(Storage* storage) {
    const std::size_t rounded = bytes_of_class(storage->size_class_);
    std::lock_guard lock(mutex_);
    counters_.live_bytes -= rounded;
    counters_.cached_bytes += rounded;
    free_[static_cast<std::size_t>(storage->size_class_)].push_back(storage);
  }

  void trim() {
    std::lock_guard lock(mutex_);
    for (std::size_t c = 0; c < free_.size(); ++c) {
      const std::size_t bytes = bytes_of_class(static_cast<int>(c));
      if (bytes < large_block) continue;  // small blocks share a chunk
      for (Storage* storage : free_[c]) {
        munmap(storage->data_, round_up(bytes, huge_page));
        counters_.cached_bytes -= bytes;
        counters_.mapped_bytes -= round_up(bytes, huge_page);
        delete storage;
      }
      free_[c].clear();
    }
  }

  void* map(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    return map_locked(bytes);
  }
  void unmap(void* data, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    munmap(data, round_up(bytes, huge_page));
    counters_.mapped_bytes -= round_up(bytes, huge_page);
  }

  StorageCounters counters() {
    std::lock_guard lock(mutex_);
    return counters_;
  }
  void set_cap(std::size_t bytes) {
    std::lock_guard lock(mutex_);
    cap_ = bytes;
  }

 private:
  Storage* fresh(std::size_t rounded, int size_class) {
    auto* storage = new Storage;
    storage->size_class_ = size_class;
    try {
      if (rounded >= large_block) {
        storage->data_ = map_locked(rounded);
      } else {
        if (chunk_left_ < rounded) {
          chunk_ = static_cast<std::byte*>(map_locked(chunk_bytes));
          chunk_left_ = chunk_bytes;
        }
        storage->data_ = chunk_;
        chunk_ += rounded;
        chunk_left_ -= rounded;
      }
    } catch (...) {
      delete storage;
      throw;
    }
    return storage;
  }

  void* map_locked(std::size_t bytes) {
    const std::size_t size = round_up(bytes, huge_page);
    if (cap_ != 0 && counters_.mapped_bytes + size > cap_)
      throw MemoryError(
          fmt::format("[memory] {} MiB more would pass the cap of {} MiB ({} MiB are in use): use "
                      "smaller batches "
                      "or raise the cap",
                      size >> 20, cap_ >> 20, counters_.mapped_bytes >> 20));
    // Over-map by one huge page and cut to alignment: the kernel backs only aligned 2 MiB ranges by huge pages.
    void* raw =
        mmap(nullptr, size + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
      throw MemoryError(fmt::format("[memory] the system has no {} MiB left ({} MiB are in use)",
                                    size >> 20, counters_.mapped_bytes >> 20));
    const auto address = reinterpret_cast<std::uintptr_t>(raw);
    const std::uintptr_t aligned = round_up(address, huge_page);
    if (aligned > address) munmap(raw, aligned - address);
    const std::size_t tail = huge_page - (aligned - address);
    if (tail > 0) munmap(reinterpret_cast<void*>(aligned + size), tail);
    void* data = reinterpret_cast<void*>(aligned);
    madvise(data, size, MADV_HUGEPAGE);
    counters_.mapped_bytes += size;
    ++counters_.system_calls;
    return data;
  }

  std::mutex mutex_;
  std::vector<std::vector<Storage*>> free_;
  std::byte* chunk_ = nullptr;
  std::size_t chunk_left_ = 0;
  std::size_t cap_ = 0;
  StorageCounters counters_;
};

Storage* Storage::allocate(std::size_t bytes) { return StoragePool::instance().allocate(bytes); }
Storage* Storage::allocate_in(DeviceMemory* memory, std::size_t bytes) {
  if (!memory) return allocate(bytes);
  auto storage = std::make_unique<Storage>();
  storage->data_ = memory->allocate(bytes);
  storage->memory_ = memory;
  storage->bytes_ = bytes;
  return storage.release();
}
void Storage::free_block(Storage* storage) {
  if (!storage->memory_) return StoragePool::instance().free_block(storage);
  storage->memory_->release(storage->data_);
  delete storage;
}

StorageRef in_memory(const StorageRef& storage, DeviceMemory* memory) {
  if (!storage || storage->memory() == memory) return storage;
  StorageRef on_host = storage;
  if (DeviceMemory* from = storage->memory()) {
    on_host = StorageRef(Storage::allocate(storage->bytes()));
    from->download(on_host->data(), storage->data(), storage->bytes());
  }
  if (!memory) return on_host;
  StorageRef moved(Storage::allocate_in(memory, storage->bytes()));
  memory->upload(moved->data(), on_host->data(), storage->bytes());
  moved->integer_range = storage->integer_range;
  return moved;
}

void* map_memory(std::size_t bytes) { return StoragePool::instance().map(bytes); }
void unmap_memory(void* data, std::size_t bytes) { StoragePool::instance().unmap(data, bytes); }
StorageCounters storage_counters() { return StoragePool::instance().counters(); }
void set_storage_cap(std::size_t bytes) { StoragePool::instance().set_cap(bytes); }
void trim_storage() { StoragePool::instance().trim(); }

}  // namespace genera
