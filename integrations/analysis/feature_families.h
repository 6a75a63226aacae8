// Groups of features of which every two write in nearly the same direction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/decoder_neighbors.h"

namespace saetap {

inline constexpr double kFamilyCosine = 0.5;
inline constexpr std::size_t kLargestFamily = 64;

struct FeatureFamily {
  std::vector<std::uint32_t> features;  // ascending, two at least
  double lowest_cosine = 1;             // of any two
  double mean_cosine = 1;               // of all pairs
};

// Complete linkage by the pairs in `nearest` ([features] lists, best first), from the most alike on: two groups become
// one if every two of the result have a cosine of kFamilyCosine at least and they are kLargestFamily at most. Largest
// family first, of equal ones the most alike. `directions`: [features, width] row-major, those that `nearest` is of.
[[nodiscard]] std::vector<FeatureFamily> feature_families(std::span<const std::vector<Neighbor>> nearest,
                                                          std::span<const float> directions);

}  // namespace saetap
