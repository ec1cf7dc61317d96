#include "zoo/text/pre_split.h"

#include <fmt/format.h>
#include <genera/error.h>

#include <array>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace genera::zoo::text {

// White_Space without and with what GPT-2 means by its complement.
#define SPACE "\\x{9}-\\x{d}\\x{85}\\p{Z}"
const char* const gpt2_pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACE
                                 "\\p{L}\\p{N}]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";
const char* const llama3_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^" SPACE
    "\\p{L}\\p{N}]+[\\r\\n]*|[" SPACE "]*[\\r\\n]+|[" SPACE "]+(?![^" SPACE "])|[" SPACE "]+";
#undef SPACE

struct PreSplit::Compiled {
  explicit Compiled(pcre2_code* compiled) : code(compiled) {}
  ~Compiled() { pcre2_code_free(code); }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  pcre2_code* code;
};

namespace {

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

struct Match {
  explicit Match(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)),
        context(pcre2_match_context_create(nullptr)) {
    // A pattern from a file may be made to run forever.
    pcre2_set_match_limit(context, 10'000'000);
    pcre2_set_heap_limit(context, 64 * 1024);
  }
  ~Match() {
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  Match(const Match&) = delete;
  Match& operator=(const Match&) = delete;

  pcre2_match_data* data;
  pcre2_match_context* context;
};

}  // namespace

PreSplit::PreSplit(const std::string& pattern, const std::string& source)
    : pattern_(pattern), source_(source) {
  int error = 0;
  PCRE2_SIZE at = 0;
  pcre2_code* code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C,
                    &error, &at, nullptr);
  if (code == nullptr)
    throw DataError(fmt::format("{}: the pattern that splits text is not valid at {} ({})", source,
                                at, message_of(error)));
  compiled_ = std::make_unique<const Compiled>(code);
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where there is no JIT, matching is slower
}

PreSplit::~PreSplit() = default;
PreSplit::PreSplit(PreSplit&&) noexcept = default;

void PreSplit::operator()(std::string_view text,
                          const std::function<void(std::string_view)>& word) const {
  const Match match(compiled_->code);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t done = 0;
  std::size_t from = 0;
  while (from < text.size()) {
    const int found = pcre2_match(compiled_->code, subject, text.size(), from, PCRE2_NOTEMPTY,
                                  match.data, match.context);
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0)
      throw DataError(
          fmt::format("{}: the pattern that splits text failed ({}); the file may be "
                      "corrupt",
                      source_, message_of(found)));
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.data);
    // \K in a lookaround can put the end before the beginning.
    if (ends[0] < from || ends[1] <= ends[0])
      throw DataError(fmt::format("{}: the pattern that splits text runs backwards", source_));
    if (ends[0] > done) word(text.substr(done, ends[0] - done));
    word(text.substr(ends[0], ends[1] - ends[0]));
    done = from = ends[1];
  }
  if (done < text.size()) word(text.substr(done));
}

}  // namespace genera::zoo::text
