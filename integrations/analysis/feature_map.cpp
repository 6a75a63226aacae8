#include "integrations/analysis/feature_map.h"

namespace saetap {

FeatureMap principal_plane(std::span<const float>, std::int64_t) {
  return {};
}

}  // namespace saetap
