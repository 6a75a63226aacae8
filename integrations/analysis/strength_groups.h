// What a feature does at each strength.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "plugin/collect/sample.h"

namespace saetap {

// Samples of neighbouring strength.
struct StrengthGroup {
  float weakest = 0;  // by magnitude, with its sign
  float strongest = 0;
  std::vector<Sample> samples;  // in the order in which they were given
};

inline constexpr std::size_t kFewestInGroup = 4;

// A random sample of a feature's active places cut by magnitude into `groups` of equal size, or one more or less,
// strongest first; fewer groups where one would have fewer than kFewestInGroup. So each stands for as large a share of
// the active places.
[[nodiscard]] std::vector<StrengthGroup> strength_groups(std::span<const Sample> random_samples, std::size_t groups);

}  // namespace saetap
