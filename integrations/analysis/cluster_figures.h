// How well features lie in their clusters, from what they have in common with each of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/feature_clusters.h"

namespace saetap {

class ClusterFigures {
 public:
  // `cluster_of`: of each item, below `clusters`.
  ClusterFigures(std::span<const std::uint32_t> cluster_of, std::size_t clusters);

  [[nodiscard]] std::size_t size_of(std::size_t cluster) const { return sizes_[cluster]; }
  // `sums`: [clusters], the sum of the item's similarities to the items of each, without that to itself.
  void add(std::size_t item, std::span<const double> sums);
  // Clusters of two or more. `features`: which feature each item is.
  [[nodiscard]] FeatureClusters take(std::span<const std::uint32_t> features) const;

 private:
  std::span<const std::uint32_t> cluster_of_;
  std::vector<std::size_t> sizes_;
  std::vector<double> likeness_;     // of each item: mean similarity to the others of its cluster
  std::vector<double> silhouettes_;  // of each item
  bool has_others_ = false;          // clusters to hold one against; else no silhouette is defined
};

}  // namespace saetap
