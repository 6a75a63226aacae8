#include "integrations/analysis/activation_distribution.h"

#include <algorithm>
#include <cmath>

#include "integrations/analysis/quantile.h"

namespace saetap {
namespace {

double lower_end(std::uint32_t bin) {
  constexpr double kBias = 127;
  return std::exp2(bin / double{kBinsPerOctave} - kBias);
}

// One histogram while its bins are gone through from the lowest on.
struct Remaining {
  const ActivationHistogram* histogram;
  std::uint64_t total;
  std::uint64_t left;  // in this bin and above

  [[nodiscard]] double share() const { return static_cast<double>(left) / static_cast<double>(total); }
  void pass(std::uint32_t bin) {
    const auto& counts = histogram->counts();
    if (bin >= histogram->first() && bin - histogram->first() < counts.size()) left -= counts[bin - histogram->first()];
  }
};

MagnitudeBand band_at(std::uint32_t bin, std::span<const Remaining> features, std::vector<double>& shares) {
  MagnitudeBand band{.from = lower_end(bin)};
  double left = 0, total = 0;
  shares.clear();
  for (const Remaining& feature : features) {
    shares.push_back(feature.share());
    left += static_cast<double>(feature.left);
    total += static_cast<double>(feature.total);
  }
  std::sort(shares.begin(), shares.end());
  for (std::size_t i = 0; i < kBandShares.size(); ++i) band.over_features[i] = quantile_of(shares, kBandShares[i]);
  band.pooled = left / total;
  return band;
}

}  // namespace

std::vector<MagnitudeBin> magnitude_bins(const ActivationHistogram& histogram) {
  std::vector<MagnitudeBin> bins;
  if (histogram.total() == 0) return bins;
  for (std::size_t i = 0; i < histogram.counts().size(); ++i) {
    const auto bin = histogram.first() + static_cast<std::uint32_t>(i);
    bins.push_back({lower_end(bin), lower_end(bin + 1), histogram.counts()[i]});
  }
  // A store may keep bins at the ends that have nothing.
  const auto has_none = [](const MagnitudeBin& bin) { return bin.count == 0; };
  while (has_none(bins.back())) bins.pop_back();
  bins.erase(bins.begin(), std::find_if_not(bins.begin(), bins.end(), has_none));
  return bins;
}

std::vector<MagnitudeBand> magnitude_bands(std::span<const ActivationHistogram> histograms) {
  std::vector<Remaining> features;
  std::uint32_t first = kHistogramBins, end = 0;
  for (const ActivationHistogram& histogram : histograms) {
    const std::uint64_t total = histogram.total();
    if (total == 0) continue;
    features.push_back({&histogram, total, total});
    first = std::min(first, histogram.first());
    end = std::max(end, histogram.first() + static_cast<std::uint32_t>(histogram.counts().size()));
  }
  std::vector<MagnitudeBand> bands;
  std::vector<double> shares;
  for (std::uint32_t bin = first; bin < end + (end > 0 ? 1 : 0); ++bin) {
    bands.push_back(band_at(bin, features, shares));
    for (Remaining& feature : features) feature.pass(bin);
  }
  return bands;
}

}  // namespace saetap
