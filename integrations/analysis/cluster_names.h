// What the features of a cluster answer to, and others do not.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/feature_clusters.h"
#include "integrations/analysis/site_samples.h"

namespace saetap {

struct CharacteristicToken {
  std::int32_t token = 0;
  // Share of a feature's samples that are on the token: mean over the features of the cluster, and over all others.
  double share = 0;
  double elsewhere = 0;
};

// Of each cluster the `top` tokens that tell it best from all other features, of those likelier in it: by share x
// log(share / elsewhere), the share elsewhere being at least what one sample of one feature would make. Features
// without a sample of known token do not count.
[[nodiscard]] std::vector<std::vector<CharacteristicToken>> characteristic_tokens(
    const SiteSamples& samples, std::span<const FeatureCluster> clusters, std::size_t top);

}  // namespace saetap
