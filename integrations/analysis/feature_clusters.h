// Groups of features, by where they write or by where they were strongest, and whether the groups mean anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "integrations/analysis/shared_samples.h"
#include "integrations/analysis/unit_directions.h"

namespace saetap {

struct FeatureCluster {
  std::vector<std::uint32_t> features;  // most central first: of highest mean similarity to the others
  double tightness = 0;                 // mean similarity of its features to one another; 0 for one alone
  std::optional<double> silhouette;     // mean of its features'; nothing: there is no other cluster
};

// How much nearer features are to their own cluster than to the next. A silhouette (Rousseeuw) of a feature is (b - a)
// / max(a, b): a is its mean distance (1 - similarity) to the others of its cluster, b the lowest mean distance to
// another cluster; 0 for one that is alone, not defined where there is one cluster only.
struct ClusterQuality {
  std::uint64_t features = 0;        // in clusters of two or more
  std::uint64_t clusters = 0;        // of two or more
  std::optional<double> silhouette;  // mean over these features; exact, none is left out. Nothing: not defined
};

struct FeatureClusters {
  std::vector<FeatureCluster> clusters;  // of two or more, highest silhouette first
  ClusterQuality quality;
  ClusterQuality by_chance;  // of what is left when what features share is left to chance
};

struct DirectionClustering {
  std::size_t clusters = 2;  // from 2 to the number of directions, and kMostClusters
  std::uint64_t seed = 1;
};
inline constexpr std::size_t kClusteringStarts = 3;  // of k-means
// More take hours on a large site, and groups of a few features each are what similar_features finds.
inline constexpr std::size_t kMostClusters = 4096;

// By spherical k-means on the directions; similarity is the cosine. By chance: the numbers of each dimension permuted
// among the features. `step_done` is called after each of six starts, three of them by chance; may be empty.
[[nodiscard]] FeatureClusters cluster_directions(const UnitDirections& directions, const DirectionClustering& request,
                                                 const std::function<void()>& step_done);

// By average linkage on the places that they share (Jaccard): the two clusters of highest mean similarity become one,
// as long as it is at least `least`. Similarities of a feature to others than its 32 most similar count as 0 in this,
// but not in the figures. By chance: each feature with as many places, dealt out at random among all.
[[nodiscard]] FeatureClusters cluster_samples(const SampleRows& places, double least, std::uint64_t seed,
                                              const std::function<void()>& step_done);

// What is usual where nothing is known: the square root of half of what is grouped, 2 at least.
[[nodiscard]] std::size_t usual_clusters(std::size_t count);

}  // namespace saetap
