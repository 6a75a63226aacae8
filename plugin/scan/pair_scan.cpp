#include "plugin/scan/taker.h"

namespace saetap {

void scan_features(const PairActivations& activations, FeatureRange range, const std::uint8_t* eligible,
                   const float* bars, FeatureSums* sums, std::vector<Candidate>& candidates) {
  std::fill(sums + range.first, sums + range.last, FeatureSums{});
  Taker taker{bars, sums, candidates};
  for (std::int64_t row = 0; row < activations.rows; ++row) {
    if (eligible != nullptr && eligible[row] == 0) continue;
    for (std::int64_t pair = row * activations.per_row; pair < (row + 1) * activations.per_row; ++pair) {
      const auto feature = activations.features[pair];
      const bool in_range = feature >= range.first && feature < range.last;
      if (in_range && activations.values[pair] != 0) {
        taker.take(activations.values[pair], static_cast<std::uint32_t>(row), feature);
      }
    }
  }
}

}  // namespace saetap
