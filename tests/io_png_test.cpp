#include <genera/error.h>
#include <genera/io.h>

#include <zlib.h>

#include "tests/io_files.h"
#include "tests/io_golden.h"

using namespace genera;
using namespace io_test;

#ifdef GENERA_HAVE_PNG
namespace {

const auto decode = [](const Bytes& bytes) {
  io::decode_png_text(bytes);
  return io::decode_png(bytes);
};

// The pixels of tests/io_golden.py: 5 rows, 7 columns, 3 channels.
std::uint8_t pixel(std::size_t i, std::size_t channel) {
  return static_cast<std::uint8_t>((3 * i + channel) * 37);
}

void put_big_endian(Bytes& bytes, std::uint64_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<std::byte>(value >> shift & 0xff));
}

void put_chunk(Bytes& png, std::string_view type, const Bytes& data) {
  put_big_endian(png, data.size());
  Bytes body = bytes_of(type);
  body.insert(body.end(), data.begin(), data.end());
  png.insert(png.end(), body.begin(), body.end());
  put_big_endian(png, ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()));
}

// A grey image of any claimed size whose pixel data unpacks to `zeros` bytes.
Bytes png_claiming(std::uint32_t width, std::uint32_t height, std::size_t zeros) {
  Bytes png = bytes_of("\x89PNG\r\n\x1a\n");
  Bytes header;
  put_big_endian(header, width);
  put_big_endian(header, height);
  for (const int field : {8, 0, 0, 0, 0}) header.push_back(static_cast<std::byte>(field));
  put_chunk(png, "IHDR", header);
  const Bytes plain(zeros);
  uLongf size = ::compressBound(zeros);
  Bytes packed(size);
  REQUIRE(::compress(reinterpret_cast<Bytef*>(packed.data()), &size,
                     reinterpret_cast<const Bytef*>(plain.data()), zeros) == Z_OK);
  packed.resize(size);
  put_chunk(png, "IDAT", packed);
  put_chunk(png, "IEND", {});
  return png;
}

}  // namespace

TEST_CASE("png: reads what Pillow wrote") {
  const io::HostArray rgb = decode(from_hex(golden::png_rgb));
  const io::HostArray rgba = decode(from_hex(golden::png_rgba));
  const io::HostArray grey = decode(from_hex(golden::png_grey));
  const io::HostArray grey_alpha = decode(from_hex(golden::png_grey_alpha));
  const io::HostArray grey16 = decode(from_hex(golden::png_grey16));
  const io::HostArray bits = decode(from_hex(golden::png_bits));
  const io::HostArray palette = decode(from_hex(golden::png_palette));
  const io::HostArray transparent = decode(from_hex(golden::png_palette_transparent));
  REQUIRE(rgb.shape == Shape{5, 7, 3});
  REQUIRE(rgba.shape == Shape{5, 7, 4});
  REQUIRE(grey.shape == Shape{5, 7, 1});
  REQUIRE(grey_alpha.shape == Shape{5, 7, 2});
  REQUIRE(grey16.shape == Shape{5, 7, 1});
  REQUIRE(bits.shape == Shape{5, 7, 1});
  REQUIRE(palette.shape == Shape{5, 7, 3});
  REQUIRE(transparent.shape == Shape{5, 7, 4});
  constexpr std::uint8_t colours[4][3] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {255, 0, 128}};
  const auto at = [](const io::HostArray& image, std::size_t i) {
    return image.as<std::uint8_t>()[i];
  };
  for (std::size_t i = 0; i < 35; ++i) {
    const std::uint8_t value = pixel(i, 0);
    for (std::size_t c = 0; c < 3; ++c) {
      CHECK(at(rgb, 3 * i + c) == pixel(i, c));
      CHECK(at(rgba, 4 * i + c) == pixel(i, c));
      CHECK(at(palette, 3 * i + c) == colours[value % 4][c]);
      CHECK(at(transparent, 4 * i + c) == colours[value % 4][c]);
    }
    CHECK(at(rgba, 4 * i + 3) == 255);
    CHECK(at(transparent, 4 * i + 3) == (value % 4 == 2 ? 0 : 255));
    CHECK(at(grey, i) == value);
    CHECK(at(grey_alpha, 2 * i) == value);
    CHECK(at(grey_alpha, 2 * i + 1) == 255);
    CHECK(at(grey16, i) == value);
    CHECK(at(bits, i) == (value > 100 ? 255 : 0));
  }
  const io::PngText text = io::decode_png_text(from_hex(golden::png_rgb));
  REQUIRE(text.size() == 3);
  CHECK(text[0] == io::PngText::value_type{"recipe", "genera-vae sample --seed 7"});
  CHECK(text[1] == io::PngText::value_type{"author", "Zoë"});
  CHECK(text[2].second.size() == 600);
  CHECK(io::decode_png_text(from_hex(golden::png_grey)).empty());
}

TEST_CASE("png: what is written is read back, with its recipe") {
  const TemporaryFolder folder;
  const io::PngText text = {{"recipe", "genera-vae sample --seed 7 \"x\"\nsecond line"},
                            {"author", "Zoë"}};
  for (const Shape& shape : {Shape{3, 5}, Shape{3, 5, 1}, Shape{3, 5, 3}, Shape{1, 1},
                             Shape{1, 2000}, Shape{300, 200, 3}}) {
    io::HostArray image = io::HostArray::zeros(DType::u8, shape);
    for (std::size_t i = 0; i < image.bytes.size(); ++i)
      image.bytes[i] = static_cast<std::byte>(i * i * 13 >> 2);
    io::write_png(folder / "x.png", image, text);
    const io::HostArray back = io::read_png(folder / "x.png");
    CHECK(back.shape == Shape{shape[0], shape[1], shape.rank() == 3 ? shape[2] : 1});
    CHECK(back.bytes == image.bytes);
    CHECK(io::read_png_text(folder / "x.png") == text);
    CHECK(io::encode_png(image, text) == read_plain(folder / "x.png"));
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("png: the writer refuses what is no image") {
  const auto refusal = [](DType dtype, const Shape& shape, const io::PngText& text = {}) {
    return error_of<ArgumentError>(
        [&] { io::encode_png(io::HostArray::zeros(dtype, shape), text); });
  };
  CHECK(mentions(refusal(DType::f32, {2, 2}), "f32 (2,2)"));
  CHECK(mentions(refusal(DType::u8, {2, 2, 2}), "(2,2,2)"));
  CHECK(mentions(refusal(DType::u8, {2, 0}), "(2,0)"));
  CHECK(mentions(refusal(DType::u8, {2}), "(2)"));
  const std::string eighty(80, 'k');
  for (const std::string& keyword : {std::string(), std::string(" a"), std::string("a\n"),
                                     std::string("a  b"), eighty, std::string("größe")})
    CHECK(mentions(refusal(DType::u8, {1, 1}, {{keyword, "x"}}), "keyword"));
  CHECK(mentions(refusal(DType::u8, {1, 1}, {{"k", std::string("a\0b", 3)}}), "NUL"));
  CHECK(mentions(refusal(DType::u8, {1, 1}, {{"k", "\xff"}}), "UTF-8"));
  CHECK(mentions(refusal(DType::u8, {1, 1}, {{"k", ""}}), "empty"));
}

TEST_CASE("png: hostile files") {
  check_unreadable([](const auto& path) { return io::read_png(path); });
  for (const char* file : {golden::png_rgb, golden::png_palette_transparent, golden::png_grey16}) {
    check_truncations(from_hex(file), decode);
    check_changed_bytes(from_hex(file), decode);
  }
  CHECK(
      mentions(error_of<DataError>([] { decode(bytes_of("GIF89a..............")); }), "PNG file"));
  CHECK(decode(png_claiming(4, 2, 10)).shape == Shape{2, 4, 1});
  CHECK_THROWS_AS(decode(png_claiming(4, 2, 9)), DataError);
  CHECK_THROWS_AS(decode(png_claiming(0, 2, 10)), DataError);
  // A gigapixel from a few bytes, in one direction or both.
  CHECK(mentions(error_of<DataError>([] { decode(png_claiming(30000, 30000, 10)); }), "limits"));
  CHECK(mentions(error_of<DataError>([] { decode(png_claiming(16384, 16384, 10)); }),
                 "needs 1073741824 bytes", "limit"));
  CHECK_THROWS_AS(decode(png_claiming(0x7fffffff, 0x7fffffff, 10)), DataError);
  CHECK_THROWS_AS(decode(png_claiming(0xffffffff, 1, 10)), DataError);
  const io::PngLimits small{.max_width = 8, .max_height = 8, .max_bytes = 31};
  CHECK_THROWS_AS(io::decode_png(png_claiming(4, 2, 10), small), DataError);
  CHECK_THROWS_AS(io::decode_png_text(png_claiming(9, 1, 10), small), DataError);
}

#else

TEST_CASE("png: a build without it says what to install") {
  CHECK_FALSE(io::has_png());
  CHECK(mentions(error_of<Error>([] { io::read_png("x.png"); }), "libspng-dev"));
}

#endif
