#include "integrations/analysis/ranking.h"

#include <algorithm>
#include <tuple>

#include "integrations/analysis/quantile.h"

namespace saetap {
namespace {

double rank_value(const RankedFeature& ranked, RankBy by) {
  switch (by) {
    case RankBy::mean:
      return ranked.statistics.mean();
    case RankBy::density:
      return ranked.density;
    case RankBy::count:
      return static_cast<double>(ranked.statistics.active);
    case RankBy::max_activation:
      break;
  }
  return ranked.statistics.max;
}

}  // namespace

std::vector<RankedFeature> rank_features(std::span<const FeatureStatistics> statistics, std::uint64_t eligible,
                                         RankBy by, std::size_t top, DensityRange range) {
  std::vector<RankedFeature> ranked;
  for (std::size_t feature = 0; feature < statistics.size(); ++feature) {
    const FeatureStatistics& own = statistics[feature];
    const double density = own.density(eligible);
    if (own.active == 0 || density < range.lowest || density > range.highest) continue;
    ranked.push_back({static_cast<std::uint32_t>(feature), own, density});
  }
  const auto better = [by](const RankedFeature& a, const RankedFeature& b) {
    return std::tuple(-rank_value(a, by), a.feature) < std::tuple(-rank_value(b, by), b.feature);
  };
  const std::size_t kept = std::min(top, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(kept), ranked.end(), better);
  ranked.resize(kept);
  return ranked;
}

SiteSummary summarize(std::span<const FeatureStatistics> statistics, std::uint64_t eligible) {
  SiteSummary summary;
  std::vector<double> densities;
  std::uint64_t active = 0;
  for (const FeatureStatistics& feature : statistics) {
    summary.nonfinite += feature.nonfinite;
    summary.negative += feature.negative;
    if (feature.active == 0) {
      ++summary.dead;
      continue;
    }
    ++summary.alive;
    active += feature.active;
    densities.push_back(feature.density(eligible));
    if (densities.back() > kDense) ++summary.dense;
  }
  std::sort(densities.begin(), densities.end());
  summary.density_p10 = quantile_of(densities, 0.1);
  summary.density_median = quantile_of(densities, 0.5);
  summary.density_p90 = quantile_of(densities, 0.9);
  if (eligible > 0) summary.mean_active = static_cast<double>(active) / static_cast<double>(eligible);
  return summary;
}

}  // namespace saetap
