/// Reading and writing files: IDX, PNG, npy/npz, safetensors, GGUF (reading), checkpoints.
///
/// Every reader treats its file as hostile: a file that is missing, truncated, corrupt or lying
/// gives a DataError of one line with the file, the offset, what is wrong and what to do, and never
/// an allocation much larger than the file. Every writer goes through write_file_atomically: the
/// file is there whole, or not at all (DiskError).
#pragma once

#include <genera/dtype.h>
#include <genera/export.h>
#include <genera/shape.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace genera::io {

/// A read-only array in the memory of somebody else, row-major. Valid while that memory is.
struct GENERA_API ArrayView {
  DType dtype = DType::f32;
  Shape shape;
  std::span<const std::byte> bytes;

  /// The elements; ArgumentError if T is not the dtype, or if shape and bytes disagree.
  template <class T>
  std::span<const T> as() const {
    check(dtype_of<T>);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  /// Throws ArgumentError unless dtype is `wanted` and bytes has the size that shape and dtype ask
  /// for.
  void check(DType wanted) const;
};

/// An array on the host that owns its memory, row-major: what readers return and writers take.
struct GENERA_API HostArray {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;

  /// All elements zero. MemoryError if there is no room.
  static HostArray zeros(DType dtype, const Shape& shape);
  /// A copy of `values`; ArgumentError unless there is one for each element of `shape`.
  template <class T>
  static HostArray of(const Shape& shape, std::span<const T> values) {
    const auto raw = std::as_bytes(values);
    HostArray array{dtype_of<T>, shape, {raw.begin(), raw.end()}};
    array.view().check(array.dtype);
    return array;
  }

  ArrayView view() const { return {dtype, shape, bytes}; }
  operator ArrayView() const { return view(); }

  /// The elements; ArgumentError if T is not the dtype, or if shape and bytes disagree.
  template <class T>
  std::span<const T> as() const {
    return view().as<T>();
  }
  template <class T>
  std::span<T> as() {
    view().check(dtype_of<T>);
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

struct NamedArray {
  std::string name;
  HostArray array;
};

struct NamedView {
  std::string name;
  ArrayView array;
};

/// Views of `arrays`, valid while those are.
GENERA_API std::vector<NamedView> views(std::span<const NamedArray> arrays);

/// Key and value texts, both UTF-8.
using Metadata = std::map<std::string, std::string, std::less<>>;

// ---- Writing files ----

struct WriteOptions {
  /// Keep the file that was there before as previous_path(path).
  bool keep_previous = false;
};

/// "x.safetensors" -> "x.safetensors.prev".
GENERA_API std::filesystem::path previous_path(const std::filesystem::path& path);

/// Takes the next bytes of a file that is being written.
using Sink = std::function<void(std::span<const std::byte>)>;

/// Writes a file so that `path` holds either its old content or all of the new one, whatever
/// happens: a temporary file in the same folder, every write checked, fsync, rename, fsync of the
/// folder. A symbolic link at `path` is replaced, not followed. Throws DiskError, with the system's
/// reason, when it cannot; the temporary file is then removed. What `writer` throws is passed on,
/// likewise.
GENERA_API void write_file_atomically(const std::filesystem::path& path,
                                      std::span<const std::byte> bytes,
                                      const WriteOptions& options = {});
GENERA_API void write_file_atomically(const std::filesystem::path& path,
                                      const std::function<void(const Sink&)>& writer,
                                      const WriteOptions& options = {});

/// Deletes what processes that were killed while they wrote files into `folder` left behind: the
/// temporary files of write_file_atomically whose process runs no more. Nothing of this process may
/// be writing there. Files that cannot be deleted stay; no error.
GENERA_API void remove_leftovers(const std::filesystem::path& folder);

// ---- IDX (the format of MNIST; http://yann.lecun.com/exdb/mnist) ----

/// Reads an IDX file, gzip-packed or not (told apart by content): u8, i32, f32 or f64, 1 to 8 axes.
/// A packed file may expand to at most 64 MiB + 32 times its size.
GENERA_API HostArray read_idx(const std::filesystem::path& path);
/// The shape in the header; DataError where read_idx would find a wrong header or length. Costs next
/// to nothing: of a packed file it compares the length in the trailer, and unpacks the rest only when
/// that is another.
GENERA_API Shape check_idx(const std::filesystem::path& path);
/// The same from memory; `name` stands for the file in messages.
GENERA_API HostArray decode_idx(std::span<const std::byte> bytes, std::string_view name = "memory");

// ---- PNG ----

/// Whether this build reads and writes PNG; if not, the functions below throw Error.
GENERA_API bool has_png();

/// What an image may be before it is refused: small files can unpack to gigabytes.
struct PngLimits {
  std::int64_t max_width = 16384;
  std::int64_t max_height = 16384;
  std::int64_t max_bytes = std::int64_t{64} << 20;  ///< decoded, counted as 4 bytes per pixel
};

/// Text chunks: keyword (1 to 79 printable characters) and text (not empty).
using PngText = std::vector<std::pair<std::string, std::string>>;

/// Reads a PNG into u8 (H,W,C): height, width, and channels 1 grey, 2 grey + alpha, 3 RGB or 4
/// RGBA. Palettes become RGB(A), fewer bits are scaled up to 8, of 16 bits the upper 8 are taken.
/// Colour profiles and gamma are ignored.
GENERA_API HostArray read_png(const std::filesystem::path& path, const PngLimits& limits = {});
GENERA_API HostArray decode_png(std::span<const std::byte> bytes, const PngLimits& limits = {},
                                std::string_view name = "memory");
/// The text chunks of a PNG, as UTF-8, in the order of the file.
GENERA_API PngText read_png_text(const std::filesystem::path& path, const PngLimits& limits = {});
GENERA_API PngText decode_png_text(std::span<const std::byte> bytes, const PngLimits& limits = {},
                                   std::string_view name = "memory");

/// Writes u8 (H,W), (H,W,1) or (H,W,3) as PNG, with `text` (the recipe that remakes it) in text
/// chunks. Equal input gives equal bytes. ArgumentError for another dtype or shape, an empty image,
/// or an invalid keyword.
GENERA_API void write_png(const std::filesystem::path& path, const ArrayView& image,
                          const PngText& text = {});
GENERA_API std::vector<std::byte> encode_png(const ArrayView& image, const PngText& text = {});

// ---- NumPy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) ----

/// Reads an .npy file (format 1.0 to 3.0, either byte order, C or Fortran order) of f32, f64, f16,
/// i32, i64, u8, u32 or bool. Objects (pickles), structures and other types are refused.
GENERA_API HostArray read_npy(const std::filesystem::path& path);
GENERA_API HostArray decode_npy(std::span<const std::byte> bytes, std::string_view name = "memory");
/// Writes an .npy file. ArgumentError for bf16, which NumPy does not know.
GENERA_API void write_npy(const std::filesystem::path& path, const ArrayView& array);

/// Reads all arrays of an .npz file (a zip of .npy files, stored or deflated, up to 4 GiB), in the
/// order of its directory, checking each CRC-32. All together may expand to at most 64 MiB + 32
/// times the file's size.
GENERA_API std::vector<NamedArray> read_npz(const std::filesystem::path& path);
GENERA_API std::vector<NamedArray> decode_npz(std::span<const std::byte> bytes,
                                              std::string_view name = "memory");
/// Writes an .npz file, stored. ArgumentError for bf16, an invalid or repeated name, or more than 4
/// GiB.
GENERA_API void write_npz(const std::filesystem::path& path, std::span<const NamedView> arrays);

// ---- safetensors (https://github.com/huggingface/safetensors) ----

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  std::int64_t offset = 0;  ///< of the first byte, from the beginning of the file
  std::int64_t bytes = 0;
};

/// A safetensors file that is open for reading. The constructors check the whole header: tensors
/// must cover the file's data without holes or overlaps. Loading tensors from several threads at
/// once is safe.
class GENERA_API SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  /// From memory, which must outlive the object.
  explicit SafetensorsFile(std::span<const std::byte> bytes, std::string_view name = "memory");
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  /// In the order of their data.
  const std::vector<SafetensorsEntry>& entries() const;
  /// The strings under "__metadata__".
  const Metadata& metadata() const;
  /// What the file is called in messages.
  const std::string& file_name() const;
  /// nullptr if there is no such tensor.
  const SafetensorsEntry* find(std::string_view name) const;
  /// Reads one tensor. DataError, naming tensors that are there, if there is none of that name.
  HostArray load(std::string_view name) const;
  HostArray load(const SafetensorsEntry& entry) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

/// Writes tensors of any dtype, larger element types first so that all data is aligned.
/// ArgumentError for a repeated name, a name or metadata that is not UTF-8, or a header of more
/// than 100 MB.
GENERA_API void write_safetensors(const std::filesystem::path& path,
                                  std::span<const NamedView> tensors, const Metadata& metadata = {},
                                  const WriteOptions& options = {});

// ---- GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) ----

/// A value of a GGUF file's metadata. Integers of every width are int64, floats are double; an
/// array of bools is one of integers.
using GgufValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>,
                               std::vector<double>, std::vector<std::string>>;
using GgufMetadata = std::map<std::string, GgufValue, std::less<>>;

struct GgufEntry {
  std::string name;
  std::string_view type;     ///< as it is stored: "F32", "Q8_0" ...
  DType dtype = DType::f32;  ///< as it is loaded: the blocks of Q8_0 and Q4_0 become f32
  Shape shape;               ///< slowest axis first (the file lists them the other way round)
  std::int64_t offset = 0;   ///< of the first byte, from the beginning of the file
  std::int64_t bytes = 0;    ///< in the file
};

/// A GGUF file (version 2 or 3, little-endian) that is open for reading, with tensors of F64, F32,
/// F16, BF16, I64, I32, Q8_0 and Q4_0. The constructors check the whole header: tensors must cover
/// the file's data without overlaps or holes other than alignment. Loading tensors from several
/// threads at once is safe.
class GENERA_API GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);
  /// From memory, which must outlive the object.
  explicit GgufFile(std::span<const std::byte> bytes, std::string_view name = "memory");
  ~GgufFile();
  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;

  /// In the order of their data.
  const std::vector<GgufEntry>& entries() const;
  const GgufMetadata& metadata() const;
  /// What the file is called in messages.
  const std::string& file_name() const;
  /// nullptr if there is no such tensor.
  const GgufEntry* find(std::string_view name) const;
  /// Reads one tensor and decodes its blocks, which makes Q4_0 7.2 times as large as in the file.
  HostArray load(const GgufEntry& entry) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

// ---- Other formats ----

/// A file that is open for reading, for formats that the library does not know. Reading from
/// several threads at once is safe.
class GENERA_API BinaryFile {
 public:
  /// `operation`, a literal, begins every message: "[operation] file, offset: ...".
  BinaryFile(const char* operation, const std::filesystem::path& path);
  /// From memory, which must outlive the object.
  BinaryFile(const char* operation, std::span<const std::byte> bytes,
             std::string_view name = "memory");
  ~BinaryFile();
  BinaryFile(BinaryFile&&) noexcept;
  BinaryFile& operator=(BinaryFile&&) noexcept;

  std::int64_t size() const;
  /// What the file is called in messages.
  const std::string& name() const;
  /// `count` bytes from `offset` on; DataError, before any memory is taken, if they are not there.
  std::vector<std::byte> read(std::int64_t offset, std::int64_t count) const;
  /// The array of `extents`, as a file claims them, whose data begin at `offset`. DataError likewise.
  HostArray load(std::int64_t offset, DType dtype, std::span<const std::uint64_t> extents) const;
  /// Throws the DataError "[operation] name, offset N: problem" on one line.
  [[noreturn]] void fail(std::int64_t offset, std::string_view problem) const;
  /// The same where no offset tells more.
  [[noreturn]] void fail(std::string_view problem) const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

// ---- Checkpoints ----

/// Named tensors and strings. In a file: safetensors, with "format_version" and XXH3-128 digests
/// (of each tensor's bytes, and of the header's content) in its metadata, which here are left out.
struct Checkpoint {
  std::vector<NamedArray> tensors;
  Metadata metadata;
};

/// Writes a checkpoint, keeping the one before as previous_path(path). ArgumentError as
/// write_safetensors, and for the metadata keys "format_version", "digest" and "digest:...", which
/// are the format's own.
GENERA_API void write_checkpoint(const std::filesystem::path& path,
                                 std::span<const NamedView> tensors, const Metadata& metadata = {});

/// Reads a checkpoint and verifies every digest: DataError, naming the tensor, where one does not
/// match, or if the file was written by a newer format. It never falls back by itself: read
/// previous_path(path) if you choose to.
GENERA_API Checkpoint read_checkpoint(const std::filesystem::path& path);
GENERA_API Checkpoint decode_checkpoint(std::span<const std::byte> bytes,
                                        std::string_view name = "memory");

}  // namespace genera::io
