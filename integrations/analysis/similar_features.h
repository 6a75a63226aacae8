// Which features write in nearly the same direction, for all features at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "integrations/analysis/decoder_neighbors.h"

namespace saetap {

// Gets the number of features done; may be empty.
using FeatureProgress = std::function<void(std::size_t done)>;

// Of every feature the `top` others whose direction has the highest cosine with its own, best first, equal ones in
// order of the feature: [features] lists, empty for a direction that is zero or not finite. `directions`: [features,
// width] row-major, as StoreReader::decoder_directions gives them; if empty, so are the lists.
[[nodiscard]] std::vector<std::vector<Neighbor>> nearest_of_all(std::span<const float> directions,
                                                                std::int64_t features, std::size_t top,
                                                                const FeatureProgress& progress = {});

}  // namespace saetap
