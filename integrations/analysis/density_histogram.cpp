#include "integrations/analysis/density_histogram.h"

#include <cmath>
#include <map>

namespace saetap {
namespace {

constexpr int kBinsPerDecade = 5;

double lower_end(int bin) {
  return std::pow(10, bin / double{kBinsPerDecade});
}

// Rounding of a logarithm must not put 0.1 below the bin that begins at 0.1.
int bin_of(double density) {
  const int bin = static_cast<int>(std::floor(std::log10(density) * kBinsPerDecade));
  return density >= lower_end(bin + 1) ? bin + 1 : bin;
}

}  // namespace

std::vector<DensityBin> density_bins(std::span<const FeatureStatistics> statistics, std::uint64_t eligible) {
  std::map<int, std::uint64_t> counts;
  for (const FeatureStatistics& feature : statistics) {
    const double density = feature.density(eligible);
    if (density > 0) ++counts[bin_of(density)];
  }
  std::vector<DensityBin> bins;
  if (counts.empty()) return bins;
  for (int bin = counts.begin()->first; bin <= counts.rbegin()->first; ++bin) {
    const auto found = counts.find(bin);
    bins.push_back({lower_end(bin), lower_end(bin + 1), found == counts.end() ? 0 : found->second});
  }
  return bins;
}

}  // namespace saetap
