#include <genera/error.h>
#include <genera/io.h>

#ifdef GENERA_HAVE_PNG

#include <fmt/format.h>
#include <spng.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "engine/io/byte_source.h"
#include "engine/io/checked_extent.h"
#include "engine/io/json_text.h"

namespace genera::io {
namespace {

using Context = std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)>;

Context new_context(int flags) {
  Context context(spng_ctx_new(flags), &spng_ctx_free);
  if (!context) throw MemoryError("[png] no memory for the codec");
  return context;
}

// Walks the chunks (PNG specification, 5.3), for the decoder neither says where a file is broken
// nor sees what follows the image.
void check_chunks(const ByteSource& source, std::span<const std::byte> bytes) {
  constexpr std::array<unsigned char, 8> signature = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
  if (bytes.size() < signature.size() ||
      std::memcmp(bytes.data(), signature.data(), signature.size()) != 0)
    source.fail(0, "does not begin as a PNG does; name a PNG file or convert it");
  std::size_t at = signature.size();
  constexpr std::size_t frame = 12;  // length, type and CRC
  while (true) {
    if (bytes.size() - at < frame)
      source.fail(static_cast<std::int64_t>(at),
                  "the file ends before its end chunk; it is truncated, fetch it again");
    const std::uint64_t length = big_endian(bytes.subspan(at, 4));
    const bool is_end = std::memcmp(bytes.data() + at + 4, "IEND", 4) == 0;
    if (length > bytes.size() - at - frame)
      source.fail(static_cast<std::int64_t>(at),
                  fmt::format("a chunk of {} bytes does not fit in the file; it is truncated or "
                              "corrupt, fetch it again",
                              length));
    at += frame + length;
    if (is_end) break;
  }
  if (at != bytes.size())
    source.fail(static_cast<std::int64_t>(at), "unknown bytes follow the image; remove them");
}

struct Decoder {
  const ByteSource& source;
  std::vector<std::byte> bytes;
  Context context = new_context(0);

  Decoder(const ByteSource& opened, const PngLimits& limits)
      : source(opened), bytes(opened.read_block(0, opened.size())) {
    check_chunks(source, bytes);
    constexpr std::int64_t most = 0x7fffffff;
    require(spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_ERROR));
    require(spng_set_image_limits(
        context.get(),
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(limits.max_width, 1, most)),
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(limits.max_height, 1, most))));
    // Compressed texts and profiles unpack within these.
    require(spng_set_chunk_limits(context.get(), std::size_t{8} << 20, std::size_t{16} << 20));
    require(spng_set_png_buffer(context.get(), bytes.data(), bytes.size()));
  }

  void require(int code) const {
    if (code == SPNG_OK) return;
    if (code == SPNG_EMEM)
      throw MemoryError(
          fmt::format("[{}] no memory to decode {}", source.operation(), source.name()));
    if (code == SPNG_EUSER_WIDTH || code == SPNG_EUSER_HEIGHT)
      source.fail(
          16, fmt::format("{}; the image is larger than the limits; scale it down or raise them",
                          spng_strerror(code)));
    source.fail(8, fmt::format("the image cannot be decoded ({}); it is corrupt, fetch it again",
                               spng_strerror(code)));
  }
};

struct Layout {
  std::uint64_t channels = 0;          // of the result
  std::uint64_t decoded_channels = 0;  // of what the decoder gives
  int format = 0;
};

// The decoder gives grey only for up to 8 bits; else grey comes as R = G = B.
Layout choose_layout(const spng_ihdr& header, bool has_transparency) {
  const bool is_grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ||
                       header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
  const bool has_alpha = has_transparency || (header.color_type & 4) != 0;
  if (is_grey && !has_alpha && header.bit_depth <= 8) return {1, 1, SPNG_FMT_G8};
  if (has_alpha) return {is_grey ? std::uint64_t{2} : 4, 4, SPNG_FMT_RGBA8};
  return {is_grey ? std::uint64_t{1} : 3, 3, SPNG_FMT_RGB8};
}

HostArray decode(const ByteSource& source, const PngLimits& limits) {
  Decoder decoder(source, limits);
  spng_ctx* context = decoder.context.get();
  spng_ihdr header{};
  decoder.require(spng_get_ihdr(context, &header));
  spng_trns transparency{};
  const int code = spng_get_trns(context, &transparency);
  if (code != SPNG_ECHUNKAVAIL) decoder.require(code);
  const Layout layout = choose_layout(header, code == SPNG_OK);

  constexpr std::int64_t header_offset = 16;
  const ByteLimit limit{limits.max_bytes, "the limit is lower; scale the image down or raise it"};
  const std::array<std::uint64_t, 3> widest = {header.height, header.width, 4};
  checked_extent(source, header_offset, widest, 1, limit);
  const std::array<std::uint64_t, 3> extents = {header.height, header.width,
                                                layout.decoded_channels};
  const Extent decoded = checked_extent(source, header_offset, extents, 1, limit);
  std::size_t size = 0;
  decoder.require(spng_decoded_image_size(context, layout.format, &size));
  if (static_cast<std::int64_t>(size) != decoded.bytes)
    source.fail(header_offset, "the decoder expects another size; please report this image");

  HostArray image{DType::u8, decoded.shape, allocate_bytes(decoded.bytes)};
  decoder.require(spng_decode_image(context, image.bytes.data(), image.bytes.size(), layout.format,
                                    SPNG_DECODE_TRNS));
  decoder.require(spng_decode_chunks(context));
  if (layout.channels == layout.decoded_channels) return image;

  const std::size_t pixels = image.bytes.size() / layout.decoded_channels;
  for (std::size_t i = 0; i < pixels; ++i) {
    image.bytes[i * layout.channels] = image.bytes[i * layout.decoded_channels];
    if (layout.channels == 2) image.bytes[2 * i + 1] = image.bytes[4 * i + 3];
  }
  image.bytes.resize(pixels * layout.channels);
  image.shape = image.shape.with(2, static_cast<std::int64_t>(layout.channels));
  return image;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      result += c;
    } else {
      result += static_cast<char>(0xc0 | byte >> 6);
      result += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return result;
}

PngText decode_text(const ByteSource& source, const PngLimits& limits) {
  Decoder decoder(source, limits);
  spng_ctx* context = decoder.context.get();
  // Texts may also follow the image, which has to be passed for that.
  std::size_t size = 0;
  spng_ihdr header{};
  decoder.require(spng_get_ihdr(context, &header));
  decoder.require(spng_decoded_image_size(context, SPNG_FMT_PNG, &size));
  const std::array<std::uint64_t, 3> widest = {header.height, header.width, 4};
  checked_extent(source, 16, widest, 1,
                 {limits.max_bytes, "the limit is lower; scale the image down or raise it"});
  std::vector<std::byte> pixels = allocate_bytes(static_cast<std::int64_t>(size));
  decoder.require(spng_decode_image(context, pixels.data(), pixels.size(), SPNG_FMT_PNG, 0));
  decoder.require(spng_decode_chunks(context));

  std::uint32_t count = 0;
  const int code = spng_get_text(context, nullptr, &count);
  if (code == SPNG_ECHUNKAVAIL) return {};
  decoder.require(code);
  std::vector<spng_text> texts(count);
  decoder.require(spng_get_text(context, texts.data(), &count));
  PngText result;
  for (const spng_text& text : texts) {
    const std::string_view raw(text.text, text.length);
    result.emplace_back(utf8_of_latin1(text.keyword),
                        text.type == SPNG_ITXT ? std::string(raw) : utf8_of_latin1(raw));
  }
  return result;
}

bool is_ascii(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

// The specification (11.3.4) wants printable Latin-1 with single inner spaces; ASCII is what every
// reader agrees on.
bool is_keyword(std::string_view text) {
  const bool is_printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  return !text.empty() && text.size() < 80 && is_printable && text.front() != ' ' &&
         text.back() != ' ' && text.find("  ") == std::string_view::npos;
}

std::vector<spng_text> text_chunks(PngText& text) {
  static char nothing[] = "";
  std::vector<spng_text> chunks;
  for (auto& [keyword, value] : text) {
    if (!is_keyword(keyword))
      throw ArgumentError(
          fmt::format("[write_png] '{}' is not a valid keyword (1 to 79 printable "
                      "ASCII characters)",
                      printable(keyword)));
    if (value.empty() || !is_utf8(value) || value.find('\0') != std::string::npos)
      throw ArgumentError(fmt::format(
          "[write_png] the text of '{}' must be UTF-8, not empty and without NUL", keyword));
    spng_text chunk{};
    std::memcpy(chunk.keyword, keyword.data(), keyword.size());
    chunk.type = is_ascii(value) ? SPNG_TEXT : SPNG_ITXT;
    chunk.length = value.size();
    chunk.text = value.data();
    chunk.language_tag = nothing;
    chunk.translated_keyword = nothing;
    chunks.push_back(chunk);
  }
  return chunks;
}

spng_ihdr image_header(const ArrayView& image) {
  const Shape& shape = image.shape;
  const bool is_grey = shape.rank() == 2 || (shape.rank() == 3 && shape[2] == 1);
  const bool is_rgb = shape.rank() == 3 && shape[2] == 3;
  constexpr std::int64_t most = 0x7fffffff;
  if (image.dtype != DType::u8 || !(is_grey || is_rgb) || shape.elements() == 0 ||
      shape[0] > most || shape[1] > most)
    throw ArgumentError(fmt::format("[write_png] takes u8 (H,W), (H,W,1) or (H,W,3), got {} {}",
                                    name(image.dtype), to_string(shape)));
  image.check(DType::u8);
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(shape[1]);
  header.height = static_cast<std::uint32_t>(shape[0]);
  header.bit_depth = 8;
  header.color_type = is_grey ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  return header;
}

}  // namespace

bool has_png() { return true; }

HostArray read_png(const std::filesystem::path& path, const PngLimits& limits) {
  return decode(ByteSource::open("read_png", path), limits);
}

HostArray decode_png(std::span<const std::byte> bytes, const PngLimits& limits,
                     std::string_view name) {
  return decode(ByteSource("decode_png", name, bytes), limits);
}

PngText read_png_text(const std::filesystem::path& path, const PngLimits& limits) {
  return decode_text(ByteSource::open("read_png_text", path), limits);
}

PngText decode_png_text(std::span<const std::byte> bytes, const PngLimits& limits,
                        std::string_view name) {
  return decode_text(ByteSource("decode_png_text", name, bytes), limits);
}

std::vector<std::byte> encode_png(const ArrayView& image, const PngText& text) {
  spng_ihdr header = image_header(image);
  PngText texts = text;
  std::vector<spng_text> chunks = text_chunks(texts);
  const auto require = [&](int code) {
    if (code == SPNG_EMEM) throw MemoryError("[write_png] no memory to encode the image");
    if (code != SPNG_OK)
      throw ArgumentError(fmt::format("[write_png] u8 {} cannot be encoded ({})",
                                      to_string(image.shape), spng_strerror(code)));
  };
  const Context context = new_context(SPNG_CTX_ENCODER);
  require(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  require(spng_set_ihdr(context.get(), &header));
  if (!chunks.empty())
    require(spng_set_text(context.get(), chunks.data(), static_cast<std::uint32_t>(chunks.size())));
  require(spng_encode_image(context.get(), image.bytes.data(), image.bytes.size(), SPNG_FMT_PNG,
                            SPNG_ENCODE_FINALIZE));
  std::size_t size = 0;
  int code = SPNG_OK;
  const std::unique_ptr<void, decltype(&std::free)> encoded(
      spng_get_png_buffer(context.get(), &size, &code), &std::free);
  require(code);
  const auto* first = static_cast<const std::byte*>(encoded.get());
  return {first, first + size};
}

void write_png(const std::filesystem::path& path, const ArrayView& image, const PngText& text) {
  write_file_atomically(path, encode_png(image, text));
}

}  // namespace genera::io

#else  // no libspng

namespace genera::io {
namespace {

[[noreturn]] void refuse(const char* operation) {
  throw Error(std::string("[") + operation +
              "] this build of Genera has no PNG: install Debian's libspng-dev and build it again");
}

}  // namespace

bool has_png() { return false; }

HostArray read_png(const std::filesystem::path&, const PngLimits&) { refuse("read_png"); }
HostArray decode_png(std::span<const std::byte>, const PngLimits&, std::string_view) {
  refuse("decode_png");
}
PngText read_png_text(const std::filesystem::path&, const PngLimits&) { refuse("read_png_text"); }
PngText decode_png_text(std::span<const std::byte>, const PngLimits&, std::string_view) {
  refuse("decode_png_text");
}
void write_png(const std::filesystem::path&, const ArrayView&, const PngText&) {
  refuse("write_png");
}
std::vector<std::byte> encode_png(const ArrayView&, const PngText&) { refuse("encode_png"); }

}  // namespace genera::io

#endif
