#include "backends/vulkan/hazards.h"

#include <algorithm>

namespace genera::vulkan {
namespace {

bool overlaps(const std::vector<Access>& list, const Access& access) {
  return std::any_of(list.begin(), list.end(), [&](const Access& other) {
    return other.begin < access.begin + access.bytes && access.begin < other.begin + other.bytes;
  });
}

}  // namespace

bool Hazards::conflict(const std::vector<Access>& accesses) const {
  return std::any_of(accesses.begin(), accesses.end(), [&](const Access& access) {
    return overlaps(writes_, access) || (access.writes && overlaps(reads_, access));
  });
}

void Hazards::note(const std::vector<Access>& accesses) {
  for (const Access& access : accesses) (access.writes ? writes_ : reads_).push_back(access);
}

void Hazards::clear() {
  reads_.clear();
  writes_.clear();
}

}  // namespace genera::vulkan
