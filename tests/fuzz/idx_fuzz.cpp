#include <genera/error.h>
#include <genera/io.h>

// Any bytes give arrays or a DataError: nothing else is caught.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try {
    genera::io::decode_idx(std::as_bytes(std::span(data, size)));
  } catch (const genera::DataError&) {
  }
  return 0;
}
