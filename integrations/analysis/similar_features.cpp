#include "integrations/analysis/similar_features.h"

namespace saetap {

std::vector<std::vector<Neighbor>> nearest_of_all(std::span<const float> directions, std::int64_t features,
                                                  std::size_t top, const FeatureProgress& progress) {
  const DecoderNeighbors neighbors({directions.begin(), directions.end()}, features);
  std::vector<std::vector<Neighbor>> nearest;
  for (std::uint32_t feature = 0; feature < static_cast<std::uint32_t>(features); ++feature) {
    nearest.push_back(neighbors.nearest(feature, top));
    if (progress) progress(nearest.size());
  }
  return nearest;
}

}  // namespace saetap
