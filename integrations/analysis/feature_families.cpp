#include "integrations/analysis/feature_families.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <unordered_map>

namespace saetap {
namespace {

struct Pair {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  double cosine = 0;
};

// Each pair once, the most alike first.
std::vector<Pair> close_pairs(std::span<const std::vector<Neighbor>> nearest) {
  std::vector<Pair> pairs;
  for (std::uint32_t feature = 0; feature < nearest.size(); ++feature) {
    for (const Neighbor& other : nearest[feature]) {
      if (other.cosine < kFamilyCosine) break;
      pairs.push_back({std::min(feature, other.feature), std::max(feature, other.feature), other.cosine});
    }
  }
  const auto same = [](const Pair& a, const Pair& b) { return a.first == b.first && a.second == b.second; };
  std::ranges::sort(pairs, {}, [](const Pair& pair) { return std::tuple(pair.first, pair.second); });
  pairs.erase(std::unique(pairs.begin(), pairs.end(), same), pairs.end());
  std::ranges::sort(pairs, {}, [](const Pair& pair) { return std::tuple(-pair.cosine, pair.first, pair.second); });
  return pairs;
}

class Groups {
 public:
  Groups(std::span<const float> directions, std::size_t features)
      : directions_(directions), width_(directions.size() / features) {}

  void join(const Pair& pair) {
    const std::uint32_t a = group_of(pair.first);
    const std::uint32_t b = group_of(pair.second);
    if (a == b || members_[a].size() + members_[b].size() > kLargestFamily || !all_alike(a, b)) return;
    for (const std::uint32_t feature : members_[b]) group_[feature] = a;
    members_[a].insert(members_[a].end(), members_[b].begin(), members_[b].end());
    members_.erase(b);
  }

  [[nodiscard]] std::vector<FeatureFamily> families() {
    std::vector<FeatureFamily> families;
    for (auto& [group, members] : members_) {
      if (members.size() > 1) families.push_back(family_of(members));
    }
    return families;
  }

 private:
  std::uint32_t group_of(std::uint32_t feature) {
    const auto [found, added] = group_.try_emplace(feature, feature);
    if (added) members_[feature] = {feature};
    return found->second;
  }

  [[nodiscard]] double cosine(std::uint32_t a, std::uint32_t b) const {
    const auto first = directions_.subspan(a * width_, width_);
    const auto second = directions_.subspan(b * width_, width_);
    const auto dot = [](auto x, auto y) { return std::inner_product(x.begin(), x.end(), y.begin(), 0.0); };
    return dot(first, second) / std::sqrt(dot(first, first) * dot(second, second));
  }

  [[nodiscard]] bool all_alike(std::uint32_t a, std::uint32_t b) const {
    return std::ranges::all_of(members_.at(a), [&](std::uint32_t one) {
      return std::ranges::all_of(members_.at(b),
                                 [&](std::uint32_t other) { return cosine(one, other) >= kFamilyCosine; });
    });
  }

  [[nodiscard]] FeatureFamily family_of(std::vector<std::uint32_t> members) const {
    std::ranges::sort(members);
    FeatureFamily family{.features = members};
    double sum = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      for (std::size_t j = i + 1; j < members.size(); ++j, ++pairs) {
        const double of_pair = cosine(members[i], members[j]);
        sum += of_pair;
        family.lowest_cosine = std::min(family.lowest_cosine, of_pair);
      }
    }
    family.mean_cosine = sum / static_cast<double>(pairs);
    return family;
  }

  std::span<const float> directions_;
  std::size_t width_;
  std::unordered_map<std::uint32_t, std::uint32_t> group_;                 // of those that were named
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> members_;  // by the group's number
};

}  // namespace

std::vector<FeatureFamily> feature_families(std::span<const std::vector<Neighbor>> nearest,
                                            std::span<const float> directions) {
  if (nearest.empty() || directions.empty()) return {};
  Groups groups(directions, nearest.size());
  for (const Pair& pair : close_pairs(nearest)) groups.join(pair);
  std::vector<FeatureFamily> families = groups.families();
  std::ranges::sort(families, [](const FeatureFamily& a, const FeatureFamily& b) {
    return std::tuple(b.features.size(), b.mean_cosine, a.features) <
           std::tuple(a.features.size(), a.mean_cosine, b.features);
  });
  return families;
}

}  // namespace saetap
