#include "backends/vulkan/tune.h"

#include <genera/error.h>

#include "backends/vulkan/disk_cache.h"
#include "backends/vulkan/print_product.h"
#include "engine/core/warning.h"

#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <system_error>

namespace genera::vulkan {
namespace {

constexpr std::int64_t never = std::int64_t{1} << 40;  // more tiles than there are
constexpr int sizes = Tiles::sizes;

/// Device and driver, in one line.
std::string identity(const Device& device) {
  VkPhysicalDeviceProperties properties;
  vkGetPhysicalDeviceProperties(device.physical(), &properties);
  return fmt::format("tiles 1 {:x} {:x} {:x} {}", properties.vendorID, properties.deviceID,
                     properties.driverVersion, properties.deviceName);
}

/// Empty where nothing is kept on disk.
std::string path_of(const Device& device) {
  const std::string line = identity(device), &folder = DiskCache::instance().folder();
  if (folder.empty()) return {};
  return fmt::format("{}/tiles-{:016x}", folder, XXH3_64bits(line.data(), line.size()));
}

bool keep(const Device& device, const Tiles& tiles) {
  const std::string path = path_of(device);
  if (path.empty()) return false;
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  std::ofstream file(temporary, std::ios::binary);
  file << identity(device) << '\n' << tiles.text();
  file.close();
  if (file) std::filesystem::rename(temporary, path, error);
  if (file && !error) return true;
  std::filesystem::remove(temporary, error);
  return false;
}

/// The tiles with `size` taken for every product, in this variant.
Tiles only(const Tiles& tiles, int size, int variant) {
  Tiles forced = tiles;
  forced.variant[static_cast<std::size_t>(size)] = variant;
  for (int s = 1; s < sizes; ++s)
    forced.least_tiles[static_cast<std::size_t>(s)] = s == size ? 0 : never;
  return forced;
}

std::int64_t tiles_in(const Tile& tile, std::int64_t n) {
  return ((n + tile.tile_rows() - 1) / tile.tile_rows()) *
         ((n + tile.tile_columns() - 1) / tile.tile_columns());
}

/// A square product of n x n matrices of small fractions.
class Trial {
 public:
  Trial(Context& context, std::int64_t n) : context_(context), n_(n) {
    std::vector<float> numbers(static_cast<std::size_t>(n * n));
    for (int b = 0; b < 3; ++b) {
      std::uint32_t state = 12345u + static_cast<std::uint32_t>(b);
      for (float& number : numbers) {
        state = state * 1664525u + 1013904223u;
        number = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
      }
      ranges_[b] = {context.allocator.allocate(bytes()), bytes(), b < 2, b == 2};
      context.recorder.upload(ranges_[b].address, numbers.data(), bytes());
    }
    step_.kind = PlanStep::Kind::primitive;
    step_.primitive.op = Op::MatMul;
    const PlanOperand matrix{.shape = Shape{n, n}, .dtype = DType::f32};
    step_.primitive.inputs = {matrix, matrix};
    step_.primitive.outputs = {matrix};
    step_.primitive.inputs[0].buffer = 0;
    step_.primitive.inputs[1].buffer = 1;
    step_.primitive.outputs[0].buffer = 2;
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  ~Trial() {
    for (const Binding& range : ranges_) context_.allocator.release(range.address);
  }

  /// The product's bits.
  std::vector<std::uint32_t> result(const Tiles& tiles) {
    context_.recorder.fill(ranges_[2].address, 0xffffffffu, bytes());
    run(tiles, 1);
    std::vector<std::uint32_t> bits(static_cast<std::size_t>(n_ * n_));
    context_.recorder.download(bits.data(), ranges_[2].address, bytes());
    return bits;
  }

  /// The shortest of several times.
  double seconds(const Tiles& tiles) {
    constexpr double enough = 0.02;  // seconds that one time should span
    const double once = run(tiles, 1);
    const int repeats = static_cast<int>(std::clamp(enough / once, 1.0, 100.0));
    double best = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 3; ++i) best = std::min(best, run(tiles, repeats) / repeats);
    return best;
  }

 private:
  std::uint64_t bytes() const { return static_cast<std::uint64_t>(n_ * n_) * 4; }

  double run(const Tiles& tiles, int repeats) {
    constexpr int same_memory[] = {0, 1, 2};
    const Limits& limits = context_.device.limits();
    const Dispatch dispatch = print_product(step_, same_memory, tiles, limits).front();
    const auto pipeline = context_.pipelines.get(dispatch.text, dispatch.uses.size());
    std::vector<Binding> bindings;
    for (const BufferUse& use : dispatch.uses)
      bindings.push_back(ranges_[static_cast<std::size_t>(use.buffer)]);
    context_.recorder.finish("tuning");
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i)
      context_.recorder.dispatch(
          *pipeline, bindings,
          static_cast<std::uint32_t>(std::min<std::int64_t>(dispatch.groups, limits.groups)));
    context_.recorder.finish("tuning");
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  Context& context_;
  std::int64_t n_;
  std::array<Binding, 3> ranges_{};
  PlanStep step_;
};

/// One run of the command.
class Tuner {
 public:
  explicit Tuner(Context& context) : context_(context) {}

  std::string run() {
    measure_sizes();
    choose_variants();
    choose_limits();
    context_.tiles = best_;
    const bool kept = keep(context_.device, best_);
    report_ += fmt::format("chosen: {}{}\n", best_.text().substr(0, best_.text().size() - 1),
                           kept ? "" : " (not stored: there is no folder for a cache)");
    if (kept)
      report_ += fmt::format(
          "stored in {}: used from now on, on this device with this driver; to go back, delete "
          "it\n",
          path_of(context_.device));
    return report_;
  }

 private:
  /// Products of n from 128 up to what takes a tenth of a second.
  void measure_sizes() {
    constexpr double long_time = 0.1;
    for (std::int64_t n = 128; n <= 4096; n *= 2) {
      if (static_cast<std::uint64_t>(n * n) * 4 > context_.device.limits().binding_bytes) break;
      extents_.push_back(n);
      const double seconds = Trial(context_, n).seconds(Tiles());
      note(n, "default", seconds);
      if (seconds > long_time) break;
    }
    if (extents_.empty())
      throw DeviceError(
          fmt::format("[tune] {} sees too little memory at once for 128 x 128 numbers",
                      context_.device.name()));
  }

  void note(std::int64_t n, const std::string& what, double seconds) {
    report_ += fmt::format("{0} x {0} x {0}, {1}: {2:.3f} ms, {3:.1f} GFLOP/s\n", n, what,
                           seconds * 1e3, 2e-9 * static_cast<double>(n * n * n) / seconds);
  }

  bool possible(int size, int variant) const {
    return Tiles::fits(Tiles::candidate(size, variant), context_.device.limits());
  }

  /// Of each size the fastest variant at the largest product, of those with the default's bits.
  void choose_variants() {
    // A ragged product too: its edges take other paths.
    for (const std::int64_t n : {extents_.back(), std::int64_t{133}}) {
      Trial trial(context_, n);
      const auto expected = trial.result(Tiles());
      for (int size = 0; size < sizes; ++size) {
        double shortest = std::numeric_limits<double>::infinity();
        for (int v = 0; v < Tiles::variants; ++v) {
          if (!possible(size, v)) continue;
          const Tiles tiles = only(best_, size, v);
          if (trial.result(tiles) != expected)
            throw DeviceError(fmt::format(
                "[tune] tile {}.{} gives other bits than the default on {}: this driver "
                "miscompiles one of them; nothing was stored",
                size, v, context_.device.name()));
          if (n != extents_.back()) continue;
          const double seconds = trial.seconds(tiles);
          note(n, fmt::format("tile {}.{}", size, v), seconds);
          if (seconds >= shortest) continue;
          shortest = seconds;
          best_.variant[static_cast<std::size_t>(size)] = v;
        }
      }
    }
  }

  /// A size pays from the product on from which it is never slower than the size below.
  void choose_limits() {
    for (int size = 1; size < sizes; ++size) {
      const auto at = static_cast<std::size_t>(size);
      best_.least_tiles[at] = never;
      if (!possible(size, best_.variant[at])) continue;
      const Tile& tile = Tiles::candidate(size, best_.variant[at]);
      for (std::size_t e = extents_.size(); e-- > 0;) {
        Trial trial(context_, extents_[e]);
        const double own = trial.seconds(only(best_, size, best_.variant[at]));
        const double below = trial.seconds(only(best_, size - 1, best_.variant[at - 1]));
        note(extents_[e], fmt::format("size {}", size), own);
        note(extents_[e], fmt::format("size {}", size - 1), below);
        if (own > below) break;
        best_.least_tiles[at] = tiles_in(tile, extents_[e]);
      }
    }
  }

  Context& context_;
  Tiles best_;
  std::vector<std::int64_t> extents_;
  std::string report_;
};

}  // namespace

std::string tune(Context& context) { return Tuner(context).run(); }

Tiles tuned_tiles(const Device& device) {
  Tiles tiles;
  const std::string path = path_of(device);
  if (path.empty()) return tiles;
  std::error_code unknown;
  const auto type = std::filesystem::status(path, unknown).type();
  if (type == std::filesystem::file_type::not_found) return tiles;
  std::string line, text;
  constexpr std::uintmax_t most_bytes = 4096;  // what is longer, or a pipe, is not read
  if (type == std::filesystem::file_type::regular &&
      std::filesystem::file_size(path, unknown) <= most_bytes) {
    std::ifstream file(path, std::ios::binary);
    if (std::getline(file, line)) std::getline(file, text);
  }
  if (line != identity(device) || !tiles.parse(text + "\n"))
    warn(fmt::format("{} is damaged: tiles are the default's until they are tuned again", path));
  return tiles;
}

}  // namespace genera::vulkan
