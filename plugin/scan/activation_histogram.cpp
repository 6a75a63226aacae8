#include "plugin/scan/activation_histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace saetap {

float bin_middle(std::uint32_t bin) {
  constexpr double kBias = 127;
  return static_cast<float>(std::exp2((static_cast<double>(bin) + 0.5) / kBinsPerOctave - kBias));
}

void ActivationHistogram::add(std::uint32_t bin, std::uint64_t count) {
  if (count == 0) return;
  if (counts_.empty()) first_ = bin;
  // Exactly as much memory as is needed: it rarely grows, and every feature has one.
  if (bin < first_) {
    counts_.reserve(counts_.size() + first_ - bin);
    counts_.insert(counts_.begin(), first_ - bin, 0);
    first_ = bin;
  }
  if (bin - first_ >= counts_.size()) {
    counts_.reserve(bin - first_ + 1);
    counts_.resize(bin - first_ + 1);
  }
  counts_[bin - first_] += count;
}

void ActivationHistogram::add(const ActivationHistogram& other) {
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    add(other.first_ + static_cast<std::uint32_t>(i), other.counts_[i]);
  }
}

float ActivationHistogram::quantile(double share) const {
  const auto all = total();
  if (all == 0) return 0;
  const auto below = std::clamp(share, 0.0, 1.0) * static_cast<double>(all);
  std::uint64_t met = 0;
  std::size_t at = 0;
  while (at + 1 < counts_.size() && static_cast<double>(met + counts_[at]) < below) met += counts_[at++];
  while (at + 1 < counts_.size() && counts_[at] == 0) ++at;
  return bin_middle(first_ + static_cast<std::uint32_t>(at));
}

std::uint64_t ActivationHistogram::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::uint64_t{0});
}

ActivationHistogram ActivationHistogram::of(std::uint32_t first, std::vector<std::uint64_t> counts) {
  ActivationHistogram histogram;
  histogram.first_ = first;
  histogram.counts_ = std::move(counts);
  return histogram;
}

}  // namespace saetap
