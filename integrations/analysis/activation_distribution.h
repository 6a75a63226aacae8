// How large the active values of features are, from their histograms of magnitudes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "plugin/scan/activation_histogram.h"

namespace saetap {

struct MagnitudeBin {
  double from = 0;
  double to = 0;  // not in it
  std::uint64_t count = 0;
};

// The bins between the lowest and the highest that have values, those without values too; none of an empty histogram.
[[nodiscard]] std::vector<MagnitudeBin> magnitude_bins(const ActivationHistogram& histogram);

inline constexpr std::array<double, 5> kBandShares{0.05, 0.25, 0.5, 0.75, 0.95};

// At one magnitude: the share of a feature's active values that are at least so large, as quantiles over features.
struct MagnitudeBand {
  double from = 0;
  std::array<double, kBandShares.size()> over_features{};  // at kBandShares
  double pooled = 0;                                       // of the values of all of them together
};

// At the lower end of every bin that has values of any feature or lies between such, and at the end of the last one.
// Every feature counts the same, however often it was active; histograms without values do not count.
[[nodiscard]] std::vector<MagnitudeBand> magnitude_bands(std::span<const ActivationHistogram> histograms);

}  // namespace saetap
