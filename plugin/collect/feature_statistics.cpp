#include "plugin/collect/feature_statistics.h"

#include <algorithm>
#include <cmath>

namespace saetap {

void FeatureStatistics::add(const FeatureSums& batch) {
  add(FeatureStatistics{batch.active, batch.sum, batch.sum_of_squares, batch.max, batch.nonfinite, batch.negative});
}

void FeatureStatistics::add(const FeatureStatistics& other) {
  active += other.active;
  sum += other.sum;
  sum_of_squares += other.sum_of_squares;
  max = larger(max, other.max);
  nonfinite += other.nonfinite;
  negative += other.negative;
}

double FeatureStatistics::mean() const {
  return active == 0 ? 0 : sum / static_cast<double>(active);
}

double FeatureStatistics::standard_deviation() const {
  if (active == 0) return 0;
  // Equal values can come out a rounding error below zero.
  const double variance = sum_of_squares / static_cast<double>(active) - mean() * mean();
  return std::sqrt(std::max(0.0, variance));
}

double FeatureStatistics::density(std::uint64_t eligible) const {
  return eligible == 0 ? 0 : static_cast<double>(active) / static_cast<double>(eligible);
}

}  // namespace saetap
