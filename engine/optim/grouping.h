/// Parameter groups taken apart for the optimisers' constructors.
#pragma once

#include <genera/optim.h>

#include <utility>
#include <vector>

namespace genera::optim {

template <class Options>
struct SplitGroups {
  std::vector<Options> options;  ///< the optimiser's own first
  std::vector<Predicate> predicates;
  std::vector<double> rates;
};

template <class Options>
SplitGroups<Options> split_groups(Options own, std::vector<Group<Options>> groups) {
  SplitGroups<Options> split;
  split.rates.push_back(own.lr);
  split.options.push_back(std::move(own));
  for (Group<Options>& group : groups) {
    split.rates.push_back(group.options.lr);
    split.options.push_back(std::move(group.options));
    split.predicates.push_back(std::move(group.where));
  }
  return split;
}

}  // namespace genera::optim
