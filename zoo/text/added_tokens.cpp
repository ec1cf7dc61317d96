#include "zoo/text/added_tokens.h"

#include <algorithm>

namespace genera::zoo::text {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Bytes of letters beyond ASCII count as letters.
bool is_of_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    places_.emplace(token.token, i);
    if (token.text.empty()) continue;
    const char first = token.text[0];
    std::vector<std::size_t>& places = by_first_byte_[static_cast<unsigned char>(first)];
    if (places.empty()) first_bytes_ += first;
    places.push_back(i);
  }
  for (std::vector<std::size_t>& places : by_first_byte_)
    std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
      return tokens_[a].text.size() > tokens_[b].text.size();
    });
}

const AddedToken* AddedTokens::find(Token token) const {
  const auto found = places_.find(token);
  return found == places_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::at(std::string_view text, std::size_t position) const {
  for (const std::size_t place : by_first_byte_[static_cast<unsigned char>(text[position])]) {
    const AddedToken& token = tokens_[place];
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

}  // namespace genera::zoo::text
