// Guards against gross waste, as ratios of times taken in turn in one process: a product against a naive kernel, fused against unfused, a plan of small
// steps against a bare loop of dispatches. They say nothing of real GPUs (docs/vulkan-performance.md).
#include <doctest/doctest.h>
#include <genera/device.h>
#include <genera/functions.h>
#include <genera/random.h>

#include "backends/backend.h"
#include "backends/vulkan/context.h"
#include "engine/plan/canonical.h"
#include "engine/plan/evaluate.h"
#include "engine/plan/make_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>

namespace genera {
namespace {

using Work = std::function<void()>;

double seconds_of(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

using Times = std::vector<double>;

/// The shortest of `rounds` times of each work, taken in turn after one that compiles. Other processes only ever add to a time: where the times do not `hold`, as many are
/// taken again, up to four times, and what is really too slow stays so.
Times in_turn(const std::vector<Work>& works, int rounds,
              const std::function<bool(const Times&)>& hold) {
  for (const Work& work : works) work();
  Times best(works.size(), std::numeric_limits<double>::infinity());
  for (int attempt = 0; attempt == 0 || (attempt < 5 && !hold(best)); ++attempt)
    for (int round = 0; round < rounds; ++round)
      for (std::size_t w = 0; w < works.size(); ++w)
        best[w] = std::min(best[w], seconds_of(works[w]));
  return best;
}

/// Whether the first work took at least `factor` times as long as the second.
auto at_least(double factor) {
  return [factor](const Times& times) { return times[0] / times[1] >= factor; };
}

/// Evaluates what `build` builds, on Vulkan, and waits for it.
Work evaluating(std::function<Tensor()> build, bool fuse = true) {
  return [build = std::move(build), fuse] {
    set_device("vulkan");
    const PlanOptions before = plan_options();
    set_plan_options({.fuse = fuse});
    build().eval();
    wait_for_device();
    set_plan_options(before);
    set_device("cpu");
  };
}

/// Runs the plan of `result`, without fusion, in memory of its own, and waits: what a step costs the backend once the engine has found its plan.
Work running(const Tensor& result) {
  std::lock_guard lock(graph_mutex());
  Backend& backend = find_backend("vulkan");
  CanonicalGraph graph;
  const std::vector<Value> roots{{result.node(), result.output()}};
  canonicalize(roots, {}, 0, graph);
  const std::shared_ptr<const Plan> plan = make_plan(graph, backend, {.fuse = false});
  const std::shared_ptr<Executable> executable = backend.compile(plan);
  auto* arena = static_cast<std::byte*>(
      backend.memory()->allocate(static_cast<std::size_t>(plan->arena_bytes)));
  std::vector<void*> addresses;
  for (const PlanBuffer& buffer : plan->buffers) {
    if (buffer.place == PlanBuffer::Place::arena) {
      addresses.push_back(arena + buffer.where);
      continue;
    }
    const auto bytes = static_cast<std::size_t>(buffer.bytes);
    addresses.push_back(backend.memory()->allocate(bytes));
    backend.memory()->fill(addresses.back(), 0x3f800000u, bytes);
  }
  return [=, &backend] {
    std::lock_guard running_lock(graph_mutex());
    executable->run(addresses, {}, {});
    backend.wait();
  };
}

/// A device beside the backend's own, for kernels of the tests.
vulkan::Context& context() {
  static auto* it = new vulkan::Context("");
  return *it;
}

/// Memory of the tests' kernels: three ranges of `bytes` bytes of ones.
std::vector<vulkan::Binding> three_ranges(std::uint64_t bytes) {
  std::vector<vulkan::Binding> bindings;
  for (int b = 0; b < 3; ++b) {
    const vulkan::Address address = context().allocator.allocate(bytes);
    context().recorder.fill(address, 0x3f800000u, bytes);
    bindings.push_back({address, bytes, b < 2, b == 2});
  }
  context().recorder.finish("ones");
  return bindings;
}

constexpr const char* three_buffers =
    "layout(set = 0, binding = 0, std430) readonly buffer A { float a[]; };\n"
    "layout(set = 0, binding = 1, std430) readonly buffer B { float b[]; };\n"
    "layout(set = 0, binding = 2, std430) writeonly buffer C { float c[]; };\n";

/// Whatever comes next, behind everything before it.
void record_barrier(VkCommandBuffer commands) {
  VkMemoryBarrier2 all{VK_STRUCTURE_TYPE_MEMORY_BARRIER_2};
  all.srcStageMask = all.dstStageMask = VK_PIPELINE_STAGE_2_ALL_COMMANDS_BIT;
  all.srcAccessMask = VK_ACCESS_2_MEMORY_WRITE_BIT;
  all.dstAccessMask = VK_ACCESS_2_MEMORY_READ_BIT | VK_ACCESS_2_MEMORY_WRITE_BIT;
  VkDependencyInfo info{VK_STRUCTURE_TYPE_DEPENDENCY_INFO};
  info.memoryBarrierCount = 1;
  info.pMemoryBarriers = &all;
  context().device.vk().vkCmdPipelineBarrier2(commands, &info);
}

/// Binds those of `bindings` that `which` names.
void record_buffers(VkCommandBuffer commands, const vulkan::Pipeline& pipeline,
                    const std::vector<vulkan::Binding>& bindings,
                    const std::vector<std::uint32_t>& which) {
  VkDescriptorBufferInfo ranges[3];
  VkWriteDescriptorSet writes[3];
  std::uint32_t count = 0;
  for (const std::uint32_t b : which) {
    const vulkan::Place place = context().allocator.place(bindings[b].address);
    ranges[count] = {place.buffer, place.offset, bindings[b].bytes};
    writes[count] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
    writes[count].dstBinding = b;
    writes[count].descriptorCount = 1;
    writes[count].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    writes[count].pBufferInfo = &ranges[count];
    ++count;
  }
  context().device.vk().vkCmdPushDescriptorSetKHR(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                                  pipeline.layout(), 0, count, writes);
}

}  // namespace

TEST_CASE("vulkan speed: a product of 512 x 512 matrices against one thread per element") {
  constexpr int n = 512;
  const std::string text =
      "layout(local_size_x = 16, local_size_y = 16) in;\n" + std::string(three_buffers) +
      fmt::format(
          "void main() {{\n"
          "int column = int(gl_WorkGroupID.x % {1}) * 16 + int(gl_LocalInvocationID.x);\n"
          "int row = int(gl_WorkGroupID.x / {1}) * 16 + int(gl_LocalInvocationID.y);\n"
          "float sum = 0.0;\n"
          "for (int k = 0; k < {0}; ++k) sum += a[row * {0} + k] * b[k * {0} + column];\n"
          "c[row * {0} + column] = sum;\n}}\n",
          n, n / 16);
  const auto pipeline = context().pipelines.get(text, 3);
  const auto bindings = three_ranges(std::uint64_t{n} * n * 4);
  const Work naive = [&] {
    context().recorder.dispatch(*pipeline, bindings, n / 16 * (n / 16));
    context().recorder.finish("naive");
  };
  const Tensor a = random_normal(Key{1}, {n, n}).eval(), b = random_normal(Key{2}, {n, n}).eval();
  const auto holds = at_least(3.5);
  const auto times = in_turn({naive, evaluating([=] { return matmul(a, b); })}, 7, holds);
  const double flops = 2.0 * n * n * n;
  MESSAGE("naive " << flops / times[0] * 1e-9 << " GFLOP/s, ours " << flops / times[1] * 1e-9
                   << ", ratio " << times[0] / times[1]);
  CHECK(holds(times));
}

TEST_CASE("vulkan speed: six elementwise operations, fused against unfused") {
  const Shape shape{1 << 20};
  const Tensor x = random_uniform(Key{1}, shape).eval(), y = random_uniform(Key{2}, shape).eval();
  const auto six = [=] { return relu((x * y + x) * 0.5 - y * y); };
  const auto holds = at_least(3);
  const auto times = in_turn({evaluating(six, false), evaluating(six, true)}, 7, holds);
  MESSAGE("unfused " << times[0] * 1e3 << " ms, fused " << times[1] * 1e3 << " ms, ratio "
                     << times[0] / times[1]);
  CHECK(holds(times));
}

TEST_CASE("vulkan speed: small steps against a bare loop of dispatches") {
  constexpr int steps = 1000;
  constexpr std::int64_t n = 64;
  const std::string text = "layout(local_size_x = 64) in;\n" + std::string(three_buffers) +
                           "void main() {\nint i = int(gl_GlobalInvocationID.x);\n"
                           "if (i < 64) c[i] = a[i] + b[i];\n}\n";
  const auto pipeline = context().pipelines.get(text, 3);
  auto bindings = three_ranges(n * 4);
  const VolkDeviceTable& vk = context().device.vk();
  // A recording that is made once; all of them call vkCmdDispatch `steps` times, with `before` in front of each but the first.
  std::vector<std::unique_ptr<vulkan::Recording>> recordings;
  const auto kept = [&](const std::function<void(VkCommandBuffer)>& before) -> Work {
    vulkan::Recording& recording = *recordings.emplace_back(std::make_unique<vulkan::Recording>());
    context().recorder.record(recording, [&] {
      const VkCommandBuffer commands = context().recorder.open();
      vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle());
      record_buffers(commands, *pipeline, bindings, {0, 1, 2});
      for (int i = 0; i < steps; ++i) {
        if (i > 0) before(commands);
        vk.vkCmdDispatch(commands, 1, 1, 1);
      }
    });
    return [&recording] {
      context().recorder.submit(recording, "bare");
      context().recorder.finish("bare");
    };
  };
  // The same sums, each of the one before: what any program has to call for them, and nothing else.
  const Work bare = kept([&](VkCommandBuffer commands) {
    std::swap(bindings[0], bindings[2]);
    record_barrier(commands);
    record_buffers(commands, *pipeline, bindings, {0, 2});
  });
  // One sum over and over, in order or not.
  const Work ordered = kept(record_barrier);
  const Work dispatches_alone = kept([](VkCommandBuffer) {});
  const Tensor x = random_normal(Key{1}, {n}).eval(), y = random_normal(Key{2}, {n}).eval();
  const auto chain = [=] {
    Tensor sum = x;
    for (int i = 0; i < steps; ++i) sum = sum + y;
    return sum;
  };
  const auto holds = [](const Times& t) { return t[3] <= 1.3 * t[0]; };
  const auto times = in_turn(
      {bare, ordered, dispatches_alone, running(chain()), evaluating(chain, false)}, 100, holds);
  const auto us = [&](int i) { return times[static_cast<std::size_t>(i)] * 1e6 / steps; };
  MESSAGE("bare " << us(0) << " us a dispatch, barriers and dispatches " << us(1)
                  << ", dispatches alone " << us(2) << "; ours " << us(3)
                  << ", with building the graph " << us(4) << "; ratios " << us(3) / us(0) << ", "
                  << us(3) / us(1) << ", " << us(3) / us(2));
  for (const auto& recording : recordings) context().recorder.release(*recording);
  CHECK(holds(times));
}

}  // namespace genera
