#include "zoo/text/text_data.h"

#include <fmt/core.h>
#include <genera/error.h>
#include <genera/random.h>
#include <xxhash.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <vector>

namespace genera::zoo::text {
namespace {

namespace fs = std::filesystem;

// Names of texts that are no files.
constexpr std::string_view bible = "bible-kjv", pseudo = "pseudo";
constexpr std::size_t least_bytes = 100;
constexpr std::size_t pseudo_bytes = 200000;

// The last place at or before `at` where a UTF-8 character begins.
std::size_t character_begin(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < 3 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80)
    --begin;
  return begin;
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_builtin(std::string_view name) { return name == bible || name == pseudo; }

std::optional<fs::path> in_collection(const std::string& name) {
  const char* collection = std::getenv("GENERA_DATA");
  if (collection == nullptr || *collection == '\0') return std::nullopt;
  for (const fs::path& folder : {fs::path(collection), fs::path(collection) / "text"})
    for (const std::string& file : {name, name + ".txt"})
      if (is_file(folder / file)) return folder / file;
  return std::nullopt;
}

// Every verse as a line "Ge1:1 In the beginning …", without the place before it.
std::string bible_kjv() {
  constexpr const char* command = "/usr/bin/bible -f Gen1:1-Rev22:21 </dev/null 2>/dev/null";
  const auto close = [](std::FILE* file) { pclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> pipe(
      is_file("/usr/bin/bible") ? popen(command, "r") : nullptr, close);
  std::string text, line;
  std::array<char, 65536> part;
  const auto add_line = [&] {
    if (const std::size_t place = line.find(' '); place != std::string::npos)
      text.append(line, place + 1).push_back('\n');
    line.clear();
  };
  while (pipe != nullptr) {
    const std::size_t count = std::fread(part.data(), 1, part.size(), pipe.get());
    if (count == 0) break;
    for (const char c : std::string_view(part.data(), count))
      c == '\n' ? add_line() : line.push_back(c);
  }
  if (text.size() < 1000000)
    throw DataError("[data] bible-kjv: its program prints no text; run: apt-get install bible-kjv");
  return text;
}

}  // namespace

TextData::TextData(std::string name, std::string text, double validation_share)
    : name_(std::move(name)), text_(std::move(text)) {
  const auto before = [this](std::size_t end, double share) {
    const double kept = std::floor(static_cast<double>(end) * (1 - share));
    return character_begin(text_, share == 0 ? end : static_cast<std::size_t>(kept));
  };
  test_ = before(text_.size(), 0.1);
  validation_ = before(test_, validation_share);
}

std::string TextData::digest() const {
  const XXH128_hash_t hash = XXH3_128bits(text_.data(), text_.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string read_text(const fs::path& path) {
  constexpr std::size_t most_from_pipe = std::size_t{64} << 20;  // it may be endless
  const auto fail = [&](std::string_view problem) {
    throw DataError(fmt::format("[data] {}: {}", path.string(), problem));
  };
  std::ifstream file(path, std::ios::binary);
  std::error_code ignored;
  if (!file || fs::is_directory(path, ignored)) fail("cannot be read; check the path");
  std::string text;
  std::array<char, 65536> part;
  while (file.read(part.data(), part.size()), file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > most_from_pipe && !is_file(path))
      fail(fmt::format("is no file and longer than {} bytes; put it into a file", most_from_pipe));
  }
  if (file.bad()) fail("cannot be read to its end");
  return text;
}

std::string absolute_text(const std::string& name) {
  fs::path file = name;
  if (name.find('/') == std::string::npos) {
    if (const auto found = in_collection(name)) {
      file = *found;
    } else if (is_builtin(name) || !is_file(name)) {
      return name;
    }
  }
  return fs::absolute(file).lexically_normal().string();
}

TextData open_text(const std::string& name, double validation_share) {
  const std::string place = absolute_text(name);
  std::string text;
  if (place.find('/') != std::string::npos) {
    if (!is_file(place))
      throw DataError(fmt::format("[data] {}: is no file; check the path", place));
    text = read_text(place);
  } else if (name == bible) {
    text = bible_kjv();
  } else if (name == pseudo) {
    text = generated_text(pseudo_bytes, 0);
  } else {
    throw DataError(fmt::format(
        "[data] no text '{}': looked for it here, and for it and {}.txt in $GENERA_DATA{}; known "
        "are 'bible-kjv' (apt-get install bible-kjv) and 'pseudo', which needs no files",
        name, name, std::getenv("GENERA_DATA") == nullptr ? " (which is not set)" : ""));
  }
  if (text.size() < least_bytes)
    throw DataError(fmt::format("[data] {}: {} bytes are too few to learn from, it takes {}", place,
                                text.size(), least_bytes));
  return {fs::path(place).stem().string(), std::move(text), validation_share};
}

std::string generated_text(std::size_t bytes, std::uint64_t seed) {
  static constexpr std::array subjects{"the king",    "a small dog", "my sister",
                                       "the old man", "nobody",      "the sea"};
  static constexpr std::array verbs{"sees", "carries", "sings to", "forgets", "follows", "hears"};
  static constexpr std::array objects{"the moon",   "a red stone", "seven birds",
                                      "the garden", "him",         "an open door"};
  static constexpr std::array ends{".\n", "; ", ", and ", "!\n"};
  // At least "nobody", "sees", "him", two blanks and an end each, from four draws.
  const auto draws = static_cast<std::int64_t>(bytes / 17 + 1) * 4;
  const auto bits = random_bits(Key(seed), {draws}).to_vector<std::uint32_t>();
  std::string text;
  text.reserve(bytes + 64);
  for (std::size_t i = 0; text.size() < bytes; i += 4) {
    text.append(subjects[bits[i] % subjects.size()]).append(" ");
    text.append(verbs[bits[i + 1] % verbs.size()]).append(" ");
    text.append(objects[bits[i + 2] % objects.size()]).append(ends[bits[i + 3] % ends.size()]);
  }
  text.resize(bytes);
  return text;
}

}  // namespace genera::zoo::text
