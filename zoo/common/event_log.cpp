#include "zoo/common/event_log.h"

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#ifdef GENERA_HAVE_PROTOZERO
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#endif

namespace genera::zoo {

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    constexpr std::uint32_t reversed_polynomial = 0x82f63b78;
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit)
        crc = (crc >> 1) ^ ((crc & 1) != 0 ? reversed_polynomial : 0);
      entries[i] = crc;
    }
    return entries;
  }();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

#ifdef GENERA_HAVE_PROTOZERO
namespace {

using protozero::pbf_writer;

// Field numbers of the messages, as in TensorFlow's event.proto, summary.proto, tensor.proto,
// tensor_shape.proto and types.proto.
namespace event {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5;
}
namespace summary {
constexpr int value = 1;
}
namespace value {
constexpr int tag = 1, simple_value = 2, image = 4, tensor = 8, metadata = 9;
}
namespace image {
constexpr int height = 1, width = 2, colorspace = 3, encoded_string = 4;
}
namespace tensor {
constexpr int dtype = 1, shape = 2, string_value = 8;
constexpr int dtype_string = 7, shape_dim = 2, dim_size = 1;
}  // namespace tensor
namespace metadata {
constexpr int plugin_data = 1, plugin_name = 1;
}

constexpr std::size_t header_bytes = 12, trailer_bytes = 4;

// A CRC over data that hold CRCs says little: TFRecord stores them rotated, plus a constant.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof number; ++i)
    bytes += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
  return bytes;
}

template <class Number>
Number from_little_endian(std::string_view bytes) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number |= static_cast<Number>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return number;
}

std::string framed(const std::string& data) {
  const std::string length = little_endian(std::uint64_t{data.size()});
  return length + little_endian(masked_crc(length)) + data + little_endian(masked_crc(data));
}

double wall_time_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string version_event() {
  std::string data;
  pbf_writer writer(data);
  writer.add_double(event::wall_time, wall_time_now());
  writer.add_string(event::file_version, "brain.Event:2");
  return framed(data);
}

// The data of the record that `bytes` begins with; nothing when it is cut off or damaged.
std::optional<std::string_view> first_record(std::string_view bytes) {
  if (bytes.size() < header_bytes + trailer_bytes) return std::nullopt;
  const auto length = from_little_endian<std::uint64_t>(bytes);
  if (from_little_endian<std::uint32_t>(bytes.substr(8)) != masked_crc(bytes.substr(0, 8)) ||
      length > bytes.size() - header_bytes - trailer_bytes)
    return std::nullopt;
  const std::string_view data = bytes.substr(header_bytes, length);
  if (from_little_endian<std::uint32_t>(bytes.substr(header_bytes + length)) != masked_crc(data))
    return std::nullopt;
  return data;
}

std::optional<std::int64_t> step_of(std::string_view data) {
  try {
    protozero::pbf_reader reader(data.data(), data.size());
    return reader.next(event::step, protozero::pbf_wire_type::varint) ? reader.get_int64() : 0;
  } catch (const protozero::exception&) {
    return std::nullopt;
  }
}

std::string content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// How many bytes at the beginning of the file are whole events up to `last_step`.
std::int64_t bytes_up_to(const std::filesystem::path& path, std::int64_t last_step) {
  const std::string content = content_of(path);
  std::size_t kept = 0;
  while (const auto data = first_record(std::string_view(content).substr(kept))) {
    const auto step = step_of(*data);
    if (!step || *step > last_step) break;
    kept += header_bytes + data->size() + trailer_bytes;
  }
  return static_cast<std::int64_t>(kept);
}

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (int i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return number;
}

// Width, height and colour type stand at fixed places of a PNG (its specification, 11.2.2).
void add_png(pbf_writer& to, const std::string& png) {
  constexpr std::size_t width_at = 16, height_at = 20, colour_type_at = 25;
  constexpr int channels_of[] = {1, 0, 3, 3, 2, 0, 4};  // by colour type
  const auto colour_type = static_cast<unsigned char>(png[colour_type_at]);
  pbf_writer writer(to, value::image);
  const std::string_view header(png);
  writer.add_int32(image::height, static_cast<std::int32_t>(big_endian(header.substr(height_at))));
  writer.add_int32(image::width, static_cast<std::int32_t>(big_endian(header.substr(width_at))));
  writer.add_int32(image::colorspace, colour_type < 7 ? channels_of[colour_type] : 0);
  writer.add_bytes(image::encoded_string, png);
}

void add_text(pbf_writer& to, const std::string& text) {
  {
    pbf_writer writer(to, value::tensor);
    writer.add_enum(tensor::dtype, tensor::dtype_string);
    {
      pbf_writer shape(writer, tensor::shape);
      pbf_writer dim(shape, tensor::shape_dim);
      dim.add_int64(tensor::dim_size, 1);
    }
    writer.add_bytes(tensor::string_value, text);
  }
  pbf_writer writer(to, value::metadata);
  pbf_writer plugin(writer, metadata::plugin_data);
  plugin.add_string(metadata::plugin_name, "text");
}

// TensorBoard renders texts as Markdown: indented by four spaces they stay as they are.
std::string as_code(const std::string& text) {
  std::string result = "    ";
  for (const char c : text) {
    result += c;
    if (c == '\n') result += "    ";
  }
  return result;
}

bool is_png(const std::string& content) {
  constexpr std::size_t header_end = 33;
  return content.size() >= header_end && content.starts_with("\x89PNG\r\n\x1a\n");
}

}  // namespace

bool has_event_log() { return true; }

EventLog::EventLog(const std::filesystem::path& file, std::int64_t last_step, Console& console)
    : file_(file, bytes_up_to(file, last_step), console) {
  if (std::error_code missing;
      !std::filesystem::exists(file, missing) || std::filesystem::file_size(file, missing) == 0)
    file_.add(version_event());
}

void EventLog::add_summary(std::int64_t step, const std::string& summary_message) {
  std::string data;
  pbf_writer writer(data);
  writer.add_double(event::wall_time, wall_time_now());
  writer.add_int64(event::step, step);
  writer.add_message(event::summary, summary_message);
  file_.add(framed(data));
}

void EventLog::add(const MetricsLine& line) {
  std::string message;
  pbf_writer writer(message);
  for (const Metric& metric : line.metrics) {
    if (metric.name == "seconds") continue;
    pbf_writer entry(writer, summary::value);
    entry.add_string(value::tag, metric.name + "/" + line.split);
    entry.add_float(value::simple_value, static_cast<float>(metric.value));
  }
  add_summary(line.step, message);
}

void EventLog::add_sample(std::int64_t step, const std::filesystem::path& path) {
  const std::string content = content_of(path);
  if (content.empty()) return;
  std::string message;
  {
    pbf_writer writer(message);
    pbf_writer entry(writer, summary::value);
    entry.add_string(value::tag, "samples");
    if (is_png(content))
      add_png(entry, content);
    else
      add_text(entry, as_code(content));
  }
  add_summary(step, message);
}

#else

bool has_event_log() { return false; }
EventLog::EventLog(const std::filesystem::path& file, std::int64_t, Console& console)
    : file_(file, 0, console) {}
void EventLog::add(const MetricsLine&) {}
void EventLog::add_sample(std::int64_t, const std::filesystem::path&) {}

#endif

}  // namespace genera::zoo
