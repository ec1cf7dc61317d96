#include "zoo/text/added_tokens.h"

#include <algorithm>

namespace genera::zoo {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Bytes of letters beyond ASCII count as letters.
bool is_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.text.size() > b.text.size();
  });
  for (const AddedToken& token : tokens_)
    if (first_bytes_.find(token.text[0]) == std::string::npos) first_bytes_ += token.text[0];
}

const AddedToken* AddedTokens::find(Token token) const {
  const auto found = std::find_if(tokens_.begin(), tokens_.end(),
                                  [&](const AddedToken& each) { return each.token == token; });
  return found == tokens_.end() ? nullptr : &*found;
}

const AddedToken* AddedTokens::at(std::string_view text, std::size_t position) const {
  for (const AddedToken& token : tokens_) {
    if (text.substr(position, token.text.size()) != token.text) continue;
    const std::size_t end = position + token.text.size();
    const bool is_inside = (position > 0 && is_of_word(text[position - 1])) ||
                           (end < text.size() && is_of_word(text[end]));
    if (!token.is_whole_word || !is_inside) return &token;
  }
  return nullptr;
}

void AddedTokens::split(std::string_view text, const std::function<void(std::string_view)>& stretch,
                        const std::function<void(Token)>& token) const {
  std::size_t done = 0;
  std::size_t position = 0;
  while ((position = text.find_first_of(first_bytes_, position)) != std::string_view::npos) {
    const AddedToken* found = at(text, position);
    if (found == nullptr) {
      ++position;
      continue;
    }
    std::size_t end = position + found->text.size();
    if (found->takes_left)
      while (position > done && is_blank(text[position - 1])) --position;
    if (found->takes_right)
      while (end < text.size() && is_blank(text[end])) ++end;
    if (position > done) stretch(text.substr(done, position - done));
    token(found->token);
    done = position = end;
  }
  if (done < text.size()) stretch(text.substr(done));
}

}  // namespace genera::zoo
