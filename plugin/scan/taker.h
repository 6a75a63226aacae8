// What every scan does with an activation that is not zero.
#pragma once

#include <cmath>
#include <limits>

#include "plugin/scan/activation_histogram.h"
#include "plugin/scan/batch_scan.h"

namespace saetap {

struct Taker {
  const ScanRequest& request;
  FeatureSums* sums;  // [features]
  RangeScan& found;

  void take(float value, std::int64_t row, std::int64_t feature) {
    FeatureSums& of_feature = sums[feature];
    const float magnitude = std::abs(value);
    if (!(magnitude <= std::numeric_limits<float>::max())) {
      ++of_feature.nonfinite;
      return;
    }
    of_feature.sum += value;
    of_feature.sum_of_squares += double{value} * value;
    of_feature.max = larger(of_feature.max, value);
    ++of_feature.active;
    of_feature.negative += value < 0 ? 1 : 0;
    found.histogram.push_back(
        {static_cast<std::uint32_t>(feature), static_cast<std::uint16_t>(histogram_bin(magnitude)), 1});
    const bool wanted = (request.bars != nullptr && magnitude >= request.bars[feature]) ||
                        (request.hash_bars != nullptr && request.row_hashes[row] <= request.hash_bars[feature]);
    if (wanted) {
      found.candidates.push_back({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(feature), value});
    }
  }
};

}  // namespace saetap
