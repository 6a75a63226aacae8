// Which features to look at first, and what a site's features are like as a whole.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/config.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct RankedFeature {
  std::uint32_t feature = 0;
  FeatureStatistics statistics;
  double density = 0;
};

struct DensityRange {
  double lowest = 0;
  double highest = 1;
};

// The `top` features of those that were active and lie in the range (ends included), best first; equal ones in order of
// the feature. `eligible`: rows counted, the density's denominator. `count` ranks by the number of active tokens.
[[nodiscard]] std::vector<RankedFeature> rank_features(std::span<const FeatureStatistics> statistics,
                                                       std::uint64_t eligible, RankBy by, std::size_t top,
                                                       DensityRange range = {});

// A feature that is active on more rows than this is dense.
inline constexpr double kDense = 0.1;

struct SiteSummary {
  std::uint64_t alive = 0;  // active at least once
  std::uint64_t dead = 0;
  double mean_active = 0;  // active features per row (L0)
  // Of the alive features' densities:
  double density_p10 = 0;
  double density_median = 0;
  double density_p90 = 0;
  std::uint64_t dense = 0;      // whose density is above kDense
  std::uint64_t nonfinite = 0;  // values that were NaN or infinite
  std::uint64_t negative = 0;   // values below 0
};

[[nodiscard]] SiteSummary summarize(std::span<const FeatureStatistics> statistics, std::uint64_t eligible);

}  // namespace saetap
