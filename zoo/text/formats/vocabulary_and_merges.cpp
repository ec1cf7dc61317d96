// GPT-2's vocab.json (name -> number) and merges.txt (two names on a line, the first merges first).

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "zoo/text/byte_level_bpe.h"
#include "zoo/text/formats/tokenizer_file.h"

namespace genera::zoo::text {
namespace {

using Ids = std::unordered_map<std::string_view, Token>;

std::vector<std::string> read_names(const JsonFile& file, Ids& ids) {
  const auto* entries = file.root().as<JsonValue::Object>();
  if (entries == nullptr || entries->empty()) file.fail("a vocabulary must be an object");
  std::vector<std::string> names(entries->size());
  for (const JsonValue::Member& entry : *entries) {
    const auto* id = entry.value.as<std::int64_t>();
    if (id == nullptr || *id < 0 || *id >= std::ssize(names) || entry.name.empty())
      file.fail(fmt::format("token '{}' has no number below {}", entry.name, names.size()));
    std::string& name = names[static_cast<std::size_t>(*id)];
    if (!name.empty()) file.fail(fmt::format("two tokens have the number {}", *id));
    name = entry.name;
    ids.emplace(entry.name, static_cast<Token>(*id));
  }
  return names;
}

std::vector<std::pair<Token, Token>> read_merges(const std::filesystem::path& path,
                                                 const Ids& ids) {
  const io::BinaryFile file("read_merges", path);
  const std::vector<std::byte> raw = file.read(0, file.size());
  const std::string_view text(reinterpret_cast<const char*>(raw.data()), raw.size());
  std::vector<std::pair<Token, Token>> merges;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view line = text.substr(at, text.find('\n', at) - at);
    const std::size_t begin = at;
    at += line.size() + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (begin == 0 && line.starts_with("#version"))) continue;
    const std::size_t middle = line.find(' ');
    const auto left = ids.find(line.substr(0, middle));
    const auto right =
        middle == std::string_view::npos ? ids.end() : ids.find(line.substr(middle + 1));
    if (left == ids.end() || right == ids.end())
      file.fail(static_cast<std::int64_t>(begin),
                fmt::format("'{}' are no two tokens of the vocabulary; do the files belong "
                            "together?",
                            line));
    merges.emplace_back(left->second, right->second);
  }
  return merges;
}

}  // namespace

std::unique_ptr<Tokenizer> read_vocabulary_and_merges(const std::filesystem::path& vocabulary,
                                                      const std::filesystem::path& merges,
                                                      const TokenizerHints& hints) {
  const JsonFile file(vocabulary);
  Ids ids;
  const std::vector<std::string> names = read_names(file, ids);
  ByteLevelVocabulary result;
  for (const std::string& name : names) result.tokens.push_back(bytes_of_name(name));
  result.merges = read_merges(merges, ids);
  result.patterns = {gpt2_pattern};
  result.end = hints.end;
  constexpr std::string_view end = "<|endoftext|>";
  if (const auto found = ids.find(end); found != ids.end()) {
    result.added.push_back({.token = found->second, .text = std::string(end)});
    if (!result.end) result.end = found->second;
  }
  return std::make_unique<ByteLevelBpe>(std::move(result), file.name());
}

}  // namespace genera::zoo::text
