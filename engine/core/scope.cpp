#include "engine/core/scope.h"

#include <genera/scope.h>

#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace genera {
namespace {

/// All scopes ever entered, each once per (outer, name). Small: it grows with the program's text, not with its steps.
class ScopeTable {
 public:
  static ScopeTable& instance() {
    static auto* table = new ScopeTable;
    return *table;
  }
  std::uint32_t intern(std::uint32_t outer, std::string_view name) {
    std::lock_guard lock(mutex_);
    const auto key = std::pair(outer, std::string(name));
    if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
    const std::string& prefix = names_[outer];
    names_.push_back(prefix.empty() ? key.second : prefix + "/" + key.second);
    const auto number = static_cast<std::uint32_t>(names_.size() - 1);
    numbers_.emplace(key, number);
    return number;
  }
  std::string name(std::uint32_t scope) {
    std::lock_guard lock(mutex_);
    return names_[scope];
  }

 private:
  std::mutex mutex_;
  std::deque<std::string> names_{""};
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> numbers_;
};

thread_local std::uint32_t innermost = 0;

}  // namespace

std::uint32_t current_scope() { return innermost; }
std::uint32_t enter_scope(std::string_view name) {
  return std::exchange(innermost, ScopeTable::instance().intern(innermost, name));
}
void set_scope(std::uint32_t scope) { innermost = scope; }
std::string scope_name(std::uint32_t scope) { return ScopeTable::instance().name(scope); }

scope::scope(std::string_view name) : outer_(enter_scope(name)) {}
scope::~scope() { set_scope(outer_); }

}  // namespace genera
