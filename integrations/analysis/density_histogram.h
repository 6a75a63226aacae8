// How many features are how often active.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/collect/feature_statistics.h"

namespace saetap {

struct DensityBin {
  double from = 0;  // share of tokens; in it
  double to = 0;    // not in it
  std::uint64_t features = 0;
};

// Five bins to a decade, which begin at powers of ten: from the one that has the lowest density of the features that
// were active to the one that has the highest, those without features too. `eligible`: rows counted.
[[nodiscard]] std::vector<DensityBin> density_bins(std::span<const FeatureStatistics> statistics,
                                                   std::uint64_t eligible);

}  // namespace saetap
