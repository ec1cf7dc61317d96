#include <genera/error.h>
#include <genera/io.h>

#include <zlib.h>

#include <vector>

namespace {

// Makes every chunk's CRC right, since changed bytes would never get past it.
void mend_checksums(std::vector<unsigned char>& png) {
  std::size_t at = 8;
  while (at + 12 <= png.size()) {
    const std::size_t length = std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 |
                               std::size_t{png[at + 2]} << 8 | png[at + 3];
    if (length > png.size() - at - 12) return;
    const auto crc = ::crc32_z(0, png.data() + at + 4, length + 4);
    for (unsigned i = 0; i < 4; ++i)
      png[at + 8 + length + i] = static_cast<unsigned char>(crc >> (24 - 8 * i));
    at += 12 + length;
  }
}

}  // namespace

// Any bytes give an image or a DataError: nothing else is caught.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::vector<unsigned char> png(data, data + size);
  mend_checksums(png);
  const auto bytes = std::as_bytes(std::span(png));
  const genera::io::PngLimits limits{.max_bytes = std::int64_t{1} << 20};
  try {
    genera::io::decode_png(bytes, limits);
  } catch (const genera::DataError&) {
  }
  try {
    genera::io::decode_png_text(bytes, limits);
  } catch (const genera::DataError&) {
  }
  return 0;
}
