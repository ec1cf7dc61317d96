#include <genera/data.h>
#include <genera/error.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "engine/core/philox.h"
#include "engine/data/source.h"

namespace genera::data {
namespace {

/// Radius of the largest sprite as a share of the image's side, and the room that it needs at the
/// border.
constexpr float largest_radius = 0.24f;
constexpr float border = 1.0f;

// Signed distances to the outlines, negative inside, in units of the sprite's radius.

float ellipse_distance(float x, float y) {
  constexpr float a = 1.0f, b = 0.55f;
  const float k0 = std::sqrt(x * x / (a * a) + y * y / (b * b));
  const float k1 = std::sqrt(x * x / (a * a * a * a) + y * y / (b * b * b * b));
  return k1 > 0 ? k0 * (k0 - 1) / k1 : -b;  // first order, exact on the outline
}

float square_distance(float x, float y, float half) {
  const float qx = std::abs(x) - half, qy = std::abs(y) - half;
  const float outside_x = std::max(qx, 0.0f), outside_y = std::max(qy, 0.0f);
  return std::sqrt(outside_x * outside_x + outside_y * outside_y) +
         std::min(std::max(qx, qy), 0.0f);
}

float triangle_distance(float x, float y) {
  constexpr float half_root_3 = 0.8660254f;
  const float slanted = 0.5f * y + half_root_3 * std::abs(x);
  return std::max(-y, slanted) - 0.5f;
}

float heart_distance(float x, float y) {
  constexpr float half_root_2 = 0.7071068f, half = 0.5f;
  const float u = half_root_2 * (x + y), v = half_root_2 * (y - x);
  const float lobe_u = std::sqrt((u - half) * (u - half) + v * v) - half;
  const float lobe_v = std::sqrt(u * u + (v - half) * (v - half)) - half;
  return std::min({square_distance(u, v, half), lobe_u, lobe_v});
}

template <class Distance>
void fill(const Sprite& sprite, std::int64_t size, std::span<std::uint8_t> pixels,
          const Distance& distance) {
  const float side = static_cast<float>(size);
  const float radius = sprite.scale * largest_radius * side;
  const float margin = largest_radius * side + border;
  const float centre_x = margin + sprite.x * (side - 2 * margin);
  const float centre_y = margin + sprite.y * (side - 2 * margin);
  const float cosine = std::cos(sprite.rotation), sine = std::sin(sprite.rotation);
  const auto bound = [&](float value) {
    return static_cast<std::int64_t>(std::clamp(value, 0.0f, side));
  };
  const std::int64_t x_begin = bound(centre_x - radius - 1), x_end = bound(centre_x + radius + 2);
  const std::int64_t y_begin = bound(centre_y - radius - 1), y_end = bound(centre_y + radius + 2);
  std::fill(pixels.begin(), pixels.end(), std::uint8_t{0});
  for (std::int64_t row = y_begin; row < y_end; ++row) {
    const float dy = (static_cast<float>(row) + 0.5f - centre_y) / radius;
    std::uint8_t* line = pixels.data() + row * size;
    for (std::int64_t column = x_begin; column < x_end; ++column) {
      const float dx = (static_cast<float>(column) + 0.5f - centre_x) / radius;
      const float d = distance(cosine * dx + sine * dy, cosine * dy - sine * dx) * radius;
      line[column] = static_cast<std::uint8_t>(std::clamp(0.5f - d, 0.0f, 1.0f) * 255.5f);
    }
  }
}

class SpriteSource final : public ImageSource {
 public:
  SpriteSource(const SpriteOptions& options, std::int64_t first, std::int64_t count)
      : shape_{count, 1, options.size, options.size}, seed_(options.seed), first_(first) {}

  const Shape& shape() const override { return shape_; }
  void read(std::int64_t index, std::span<std::uint8_t> pixels) const override {
    draw_sprite(sprite(seed_, first_ + index), shape_[2], pixels);
  }
  bool has_labels() const override { return true; }
  std::int32_t label(std::int64_t index) const override {
    return sprite(seed_, first_ + index).shape;
  }
  std::int32_t classes() const override { return sprite_shapes; }
  std::vector<std::string> class_names() const override {
    return {"ellipse", "square", "triangle", "heart"};
  }
  std::string recipe() const override { return fmt::format("sprites 1 {} {}", seed_, first_); }

 private:
  Shape shape_;
  std::uint64_t seed_;
  std::int64_t first_;
};

class SpriteDataset final : public DatasetSource {
 public:
  explicit SpriteDataset(const SpriteOptions& options) : options_(options) {
    if (options.size < 8 || options.size > 4096 || options.train < 1 || options.test < 1)
      throw ArgumentError(
          fmt::format("[sprites] needs a size of 8 to 4096 and at least 1 training and test image, "
                      "got size {}, {} and {}",
                      options.size, options.train, options.test));
  }
  bool has(Split split) const override { return split != Split::validation; }
  std::optional<Images> load(Split split) const override {
    if (!has(split)) return std::nullopt;
    const bool train = split == Split::train;
    return Images(std::make_shared<SpriteSource>(options_, train ? 0 : options_.train,
                                                 train ? options_.train : options_.test));
  }

 private:
  SpriteOptions options_;
};

}  // namespace

Sprite sprite(std::uint64_t seed, std::int64_t index) {
  const std::uint64_t key = Key(seed).bits();
  const auto n = static_cast<std::uint64_t>(index) * 2;
  std::array<std::uint32_t, 8> words{};
  for (std::uint64_t half = 0; half < 2; ++half) {
    const philox::Counter block = philox::block(
        {static_cast<std::uint32_t>(n + half), static_cast<std::uint32_t>((n + half) >> 32), 0, 0},
        {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
    std::copy(block.begin(), block.end(), words.begin() + 4 * static_cast<std::ptrdiff_t>(half));
  }
  Sprite sprite;
  sprite.shape = static_cast<int>(std::uint64_t{words[0]} * sprite_shapes >> 32);
  sprite.scale = 0.5f + 0.5f * philox::uniform(words[1]);
  sprite.rotation = 2 * std::numbers::pi_v<float> * philox::uniform(words[2]);
  sprite.x = philox::uniform(words[3]);
  sprite.y = philox::uniform(words[4]);
  return sprite;
}

void draw_sprite(const Sprite& sprite, std::int64_t size, std::span<std::uint8_t> pixels) {
  if (size < 8 || pixels.size() != static_cast<std::size_t>(size * size))
    throw ArgumentError(fmt::format("[draw_sprite] {} bytes are not {}x{} pixels (at least 8x8)",
                                    pixels.size(), size, size));
  switch (sprite.shape) {
    case 0:
      return fill(sprite, size, pixels, ellipse_distance);
    case 1:
      return fill(sprite, size, pixels,
                  [](float x, float y) { return square_distance(x, y, 0.70f); });
    case 2:
      return fill(sprite, size, pixels, triangle_distance);
    case 3:
      return fill(sprite, size, pixels, heart_distance);
    default:
      throw ArgumentError(
          fmt::format("[draw_sprite] shape {} is outside [0,{})", sprite.shape, sprite_shapes));
  }
}

std::unique_ptr<const DatasetSource> make_sprites(const SpriteOptions& options) {
  return std::make_unique<SpriteDataset>(options);
}

}  // namespace genera::data
