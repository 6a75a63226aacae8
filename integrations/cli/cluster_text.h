// What `saetap cluster` found, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "integrations/analysis/cluster_names.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

struct ShownClusters {
  bool by_decoder = true;
  std::uint64_t seed = 1;
  std::size_t asked = 0;       // by decoder: k
  double least = 0;            // by places: the mean overlap that clusters were merged down to
  std::uint64_t features = 0;  // that were grouped
  std::uint64_t left_out = 0;  // never active, or by decoder without a direction
  FeatureClusters found;
  std::vector<std::vector<CharacteristicToken>> names;  // of each cluster
};

// At most `top` clusters, those of highest silhouette.
void print_clusters(const OpenedStore& store, const ShownClusters& shown, std::size_t top);
// All of them.
[[nodiscard]] Json json_of(const OpenedStore& store, const ShownClusters& shown);

}  // namespace saetap::cli
