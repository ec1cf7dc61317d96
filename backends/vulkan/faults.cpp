#include "backends/vulkan/faults.h"

#include <genera/error.h>

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace genera::vulkan {
namespace {

struct Fault {
  std::string_view call;
  int number = 0;       // the first call that fails
  bool onward = false;  // and all after it

  bool hits(int call_number) const {
    return call_number == number || (onward && call_number > number);
  }
};

std::optional<Fault> wanted_fault() {
  const char* const text = std::getenv("GENERA_VULKAN_FAULT");
  if (!text || !*text) return std::nullopt;
  Fault fault;
  const std::string_view all = text;
  const std::size_t colon = std::min(all.find(':'), all.size());
  fault.call = all.substr(0, colon);
  const char* const last = all.data() + all.size();
  const auto [end, error] =
      std::from_chars(all.data() + std::min(colon + 1, all.size()), last, fault.number);
  fault.onward = end != last && *end == '+';
  bool known = false;
  for (const std::string_view call :
       {"allocate", "submit", "resubmit", "wait", "pipeline", "barrier", "devices"})
    known = known || call == fault.call;
  if (error != std::errc() || fault.number < 1 || end + (fault.onward ? 1 : 0) != last || !known)
    throw ArgumentError(fmt::format(
        "[vulkan] GENERA_VULKAN_FAULT: '{}' is not like allocate:3, submit:2+, resubmit:1, wait:1, "
        "pipeline:1, barrier:1 or devices:1",
        text));
  return fault;
}

/// What stands in for one of the driver's functions. `Call` is any type of its own.
template <class Call, class Function>
struct Standin;
template <class Call, class... Arguments>
struct Standin<Call, VkResult(VKAPI_PTR*)(Arguments...)> {
  using Function = VkResult(VKAPI_PTR*)(Arguments...);
  static inline Function driver = nullptr;
  static inline Fault fault;
  static inline VkResult failure = VK_SUCCESS;
  static inline std::atomic<int> calls{0};

  static VKAPI_ATTR VkResult VKAPI_CALL call(Arguments... arguments) {
    if (fault.hits(++calls)) return failure;
    return driver(arguments...);
  }
};

template <class Call, class Function>
void stand_in(Function& function, const Fault& fault, VkResult failure) {
  using Here = Standin<Call, Function>;
  if (function == &Here::call) return;
  Here::driver = function;
  Here::fault = fault;
  Here::failure = failure;
  function = &Here::call;
}

/// Of submissions, those with commands that were submitted before and not recorded since. Whoever submits holds the graph's mutex.
struct Resubmission {
  static inline PFN_vkBeginCommandBuffer driver_begin = nullptr;
  static inline PFN_vkQueueSubmit2 driver_submit = nullptr;
  static inline Fault fault;
  static inline std::set<VkCommandBuffer> fresh;
  static inline int calls = 0;

  static VKAPI_ATTR VkResult VKAPI_CALL begin(VkCommandBuffer commands,
                                              const VkCommandBufferBeginInfo* info) {
    fresh.insert(commands);
    return driver_begin(commands, info);
  }
  static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, std::uint32_t count,
                                               const VkSubmitInfo2* infos, VkFence fence) {
    bool again = false;
    for (const VkSubmitInfo2& info : std::span(infos, count))
      for (const auto& each : std::span(info.pCommandBufferInfos, info.commandBufferInfoCount))
        again |= fresh.erase(each.commandBuffer) == 0;
    if (again && fault.hits(++calls)) return VK_ERROR_DEVICE_LOST;
    return driver_submit(queue, count, infos, fence);
  }
  static void stand_in(VolkDeviceTable& table, const Fault& wanted) {
    if (table.vkQueueSubmit2 == &submit) return;
    fault = wanted;
    driver_begin = std::exchange(table.vkBeginCommandBuffer, &begin);
    driver_submit = std::exchange(table.vkQueueSubmit2, &submit);
  }
};

/// Barriers that are left out, which the validation layer has to see.
struct Barrier {
  static inline PFN_vkCmdPipelineBarrier2 driver = nullptr;
  static inline Fault fault;
  static inline int calls = 0;

  static VKAPI_ATTR void VKAPI_CALL call(VkCommandBuffer commands, const VkDependencyInfo* info) {
    if (!fault.hits(++calls)) driver(commands, info);
  }
  static void stand_in(VolkDeviceTable& table, const Fault& wanted) {
    if (table.vkCmdPipelineBarrier2 == &call) return;
    fault = wanted;
    driver = std::exchange(table.vkCmdPipelineBarrier2, &call);
  }
};

/// To whoever asks, so that every wait is one: the number of places where waiting fails then depends on no speed.
VKAPI_ATTR VkResult VKAPI_CALL never_done(VkDevice, VkSemaphore, std::uint64_t* value) {
  *value = 0;
  return VK_SUCCESS;
}

}  // namespace

void inject_faults(VolkDeviceTable& table) {
  const std::optional<Fault> fault = wanted_fault();
  if (!fault) return;
  struct Allocate;
  struct Submit;
  struct Wait;
  struct Make;
  if (fault->call == "allocate")
    stand_in<Allocate>(table.vkAllocateMemory, *fault, VK_ERROR_OUT_OF_DEVICE_MEMORY);
  if (fault->call == "submit") stand_in<Submit>(table.vkQueueSubmit2, *fault, VK_ERROR_DEVICE_LOST);
  if (fault->call == "resubmit") Resubmission::stand_in(table, *fault);
  if (fault->call == "barrier") Barrier::stand_in(table, *fault);
  if (fault->call == "wait") {
    stand_in<Wait>(table.vkWaitSemaphores, *fault, VK_ERROR_DEVICE_LOST);
    table.vkGetSemaphoreCounterValue = &never_done;
  }
  if (fault->call == "pipeline")
    stand_in<Make>(table.vkCreateComputePipelines, *fault, VK_ERROR_OUT_OF_HOST_MEMORY);
}

void inject_faults() {
  const std::optional<Fault> fault = wanted_fault();
  struct List;
  if (fault && fault->call == "devices")
    stand_in<List>(vkEnumeratePhysicalDevices, *fault, VK_ERROR_INITIALIZATION_FAILED);
}

}  // namespace genera::vulkan
