// Running totals of one feature over some span of steps.
#pragma once

#include <cstdint>

#include "plugin/scan/batch_scan.h"

namespace saetap {

// Moments are over the active values only (not 0, finite). Adding two spans gives the totals of both.
struct FeatureStatistics {
  std::uint64_t active = 0;
  double sum = 0;
  double sum_of_squares = 0;
  float max = 0;  // the value of the largest magnitude, with its sign
  std::uint64_t nonfinite = 0;
  std::uint64_t negative = 0;  // of the active

  void add(const FeatureSums& batch);
  void add(const FeatureStatistics& other);

  // Mean of the active values; 0 if there are none.
  [[nodiscard]] double mean() const;
  // Standard deviation of the active values (population); 0 if there are none.
  [[nodiscard]] double standard_deviation() const;
  // Share of `eligible` rows on which the feature was active; 0 if there were none.
  [[nodiscard]] double density(std::uint64_t eligible) const;

  friend bool operator==(const FeatureStatistics&, const FeatureStatistics&) = default;
};

}  // namespace saetap
