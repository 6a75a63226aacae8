// Which features write in nearly the same direction, for all features at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "integrations/analysis/similar_pairs.h"
#include "integrations/analysis/unit_directions.h"

namespace saetap {

// Gets the number of features done; may be empty.
using FeatureProgress = std::function<void(std::size_t done)>;

// Offers the pairs of features by the cosine of their directions, in blocks: what is needed besides the directions is
// some 20 MB.
void find_similar_directions(const UnitDirections& directions, PairKeeper& keeper, const FeatureProgress& progress);

// The cosines of a feature's direction with all of these, its own among them; empty if it has none.
[[nodiscard]] std::vector<float> cosines_with(const UnitDirections& directions, std::uint32_t feature);

// Of every feature the `top` others whose direction has the highest cosine with its own, best first, equal ones in
// order of the feature: [features] lists, empty for a direction that is zero or not finite. `directions`: [features,
// width] row-major, as StoreReader::decoder_directions gives them; if empty, so are the lists.
[[nodiscard]] std::vector<std::vector<Neighbor>> nearest_of_all(std::span<const float> directions,
                                                                std::int64_t features, std::size_t top,
                                                                const FeatureProgress& progress = {});
// The same of those in `wanted`, each there once, with all; the lists of others are empty.
[[nodiscard]] std::vector<std::vector<Neighbor>> nearest_of_some(std::span<const float> directions,
                                                                 std::int64_t features,
                                                                 std::span<const std::uint32_t> wanted,
                                                                 std::size_t top);

}  // namespace saetap
