#include <genera/error.h>
#include <genera/io.h>

// Any bytes give tensors or a DataError: nothing else is caught.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const genera::io::GgufFile file(bytes);
    for (const genera::io::GgufEntry& entry : file.entries()) file.load(entry);
  } catch (const genera::DataError&) {
  }
  return 0;
}
