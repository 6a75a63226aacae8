#include "integrations/analysis/shared_activity.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "integrations/analysis/agreement.h"
#include "plugin/collect/random_table.h"

namespace saetap {
namespace {

// Up to the largest hash that both samples reach; a sample that has all its places reaches every hash.
std::vector<Sample> within_reach(std::span<const Sample> samples, const RandomPlaces& other) {
  if (other.all) return {samples.begin(), samples.end()};
  if (other.samples.empty()) return {};
  const Sample& last = *std::ranges::max_element(other.samples, before_by_hash);
  std::vector<Sample> within;
  std::ranges::copy_if(samples, std::back_inserter(within),
                       [&](const Sample& sample) { return !before_by_hash(last, sample); });
  return within;
}

}  // namespace

SharedActivity shared_activity(const RandomPlaces& first, const RandomPlaces& second) {
  const std::vector<Sample> of_first = within_reach(first.samples, second);
  const std::vector<Sample> of_second = within_reach(second.samples, first);
  SharedActivity activity{.either = 0,
                          .first = of_first.size(),
                          .second = of_second.size(),
                          .both = common_strengths(of_first, of_second).first.size(),
                          .share = std::nullopt};
  activity.either = activity.first + activity.second - activity.both;
  activity.share = share_interval(activity.both, activity.either);
  return activity;
}

}  // namespace saetap
