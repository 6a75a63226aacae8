// The 2-D map of a site's features by the method that was asked for.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "integrations/analysis/feature_map.h"
#include "integrations/cli/opened_store.h"

namespace saetap::cli {

struct MapRequest {
  std::string method = "pca";  // "pca", "umap" or "tsne"
  std::uint64_t seed = 1;      // of the latter two
};

// --method and --seed, wherever a map is made.
void add_map_options(CLI::App& command, MapRequest& request);

// Of the features that were active in what is read and have a direction. PCA is built in; UMAP and t-SNE are run with
// the Python in SAETAP_PYTHON, or python3, and its packages umap-learn and scikit-learn. Throws Failure, also where
// Python or its package is not there, or StoreError.
[[nodiscard]] FeatureMap feature_map_points(const OpenedStore& store, const MapRequest& request);

}  // namespace saetap::cli
