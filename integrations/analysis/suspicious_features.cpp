#include "integrations/analysis/suspicious_features.h"

#include <algorithm>
#include <tuple>

#include "integrations/analysis/activating_tokens.h"

namespace saetap {
namespace {

void sort_by_share(Suspicion& found) {
  std::ranges::sort(found.features, [](const SuspiciousFeature& a, const SuspiciousFeature& b) {
    const auto share = [](const SuspiciousFeature& one) {
      return static_cast<double>(one.count) / static_cast<double>(std::max<std::uint64_t>(one.of, 1));
    };
    return std::tuple(-share(a), a.feature) < std::tuple(-share(b), b.feature);
  });
}

template <typename Found>
Suspicion every_feature(std::span<const FeatureStatistics> statistics, Found found) {
  Suspicion suspicion{.judged = statistics.size(), .features = {}};
  for (std::uint32_t feature = 0; feature < statistics.size(); ++feature) {
    SuspiciousFeature one{.feature = feature};
    if (found(statistics[feature], one)) suspicion.features.push_back(one);
  }
  return suspicion;
}

}  // namespace

Suspicion dense_features(std::span<const FeatureStatistics> statistics, std::uint64_t eligible) {
  Suspicion found = every_feature(statistics, [&](const FeatureStatistics& of, SuspiciousFeature& one) {
    one.count = of.active;
    one.of = eligible;
    return of.density(eligible) > kSuspiciousDensity;
  });
  sort_by_share(found);
  return found;
}

Suspicion never_active(std::span<const FeatureStatistics> all_time, std::uint64_t eligible) {
  return every_feature(all_time, [&](const FeatureStatistics& of, SuspiciousFeature& one) {
    one.of = eligible;
    return of.active == 0;
  });
}

Suspicion with_nonfinite(std::span<const FeatureStatistics> statistics) {
  Suspicion found = every_feature(statistics, [](const FeatureStatistics& of, SuspiciousFeature& one) {
    one.count = of.nonfinite;
    return of.nonfinite > 0;
  });
  sort_by_share(found);
  return found;
}

Suspicion with_negative(std::span<const FeatureStatistics> statistics) {
  Suspicion found = every_feature(statistics, [](const FeatureStatistics& of, SuspiciousFeature& one) {
    one.count = of.negative;
    one.of = of.active;
    return of.negative > 0;
  });
  found.judged = static_cast<std::uint64_t>(
      std::ranges::count_if(statistics, [](const FeatureStatistics& of) { return of.active > 0; }));
  sort_by_share(found);
  return found;
}

Suspicion one_token_features(std::span<const std::span<const std::int32_t>> drawn) {
  Suspicion found;
  for (std::uint32_t feature = 0; feature < drawn.size(); ++feature) {
    const std::span<const std::int32_t> tokens = drawn[feature];
    if (tokens.size() < kFewestDrawn) continue;
    ++found.judged;
    const TokenCount first = commonest(tokens, 1).front();
    if (static_cast<double>(first.count) < kOneTokenShare * static_cast<double>(tokens.size())) continue;
    found.features.push_back({.feature = feature, .count = first.count, .of = tokens.size(), .subject = first.token});
  }
  sort_by_share(found);
  return found;
}

Suspicion duplicated(std::span<const std::vector<Neighbor>> nearest, double least) {
  Suspicion found;
  for (std::uint32_t feature = 0; feature < nearest.size(); ++feature) {
    if (nearest[feature].empty()) continue;
    ++found.judged;
    const Neighbor& other = nearest[feature].front();
    if (other.cosine < least) continue;
    found.features.push_back({.feature = feature, .usual = other.cosine, .subject = other.feature});
  }
  std::ranges::stable_sort(found.features, std::ranges::greater(), &SuspiciousFeature::usual);
  return found;
}

}  // namespace saetap
