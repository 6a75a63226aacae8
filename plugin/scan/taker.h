// What every scan does with an activation that is not zero.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "plugin/scan/batch_scan.h"

namespace saetap {

struct Taker {
  const float* bars;  // [features], or null: no candidates are wanted
  FeatureSums* sums;  // [features]
  std::vector<Candidate>& candidates;

  void take(float value, std::uint32_t row, std::int64_t feature) {
    constexpr float kLargest = std::numeric_limits<float>::max();
    FeatureSums& of_feature = sums[feature];
    if (value > 0 && value <= kLargest) {
      of_feature.sum += value;
      of_feature.sum_of_squares += double{value} * value;
      of_feature.max = std::max(of_feature.max, value);
      ++of_feature.active;
      const bool wanted = bars != nullptr && value >= bars[feature];
      if (wanted) candidates.push_back({row, static_cast<std::uint32_t>(feature), value});
    } else if (value < 0 && value >= -kLargest) {
      ++of_feature.negative;
    } else {
      ++of_feature.nonfinite;
    }
  }
};

}  // namespace saetap
