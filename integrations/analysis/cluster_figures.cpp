#include "integrations/analysis/cluster_figures.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace saetap {

ClusterFigures::ClusterFigures(std::span<const std::uint32_t> cluster_of, std::size_t clusters)
    : cluster_of_(cluster_of), sizes_(clusters), likeness_(cluster_of.size()), silhouettes_(cluster_of.size()) {
  for (const std::uint32_t cluster : cluster_of) ++sizes_[cluster];
  has_others_ = std::ranges::count_if(sizes_, [](std::size_t size) { return size > 0; }) > 1;
}

void ClusterFigures::add(std::size_t item, std::span<const double> sums) {
  const std::uint32_t own = cluster_of_[item];
  if (sizes_[own] < 2) return;
  likeness_[item] = sums[own] / static_cast<double>(sizes_[own] - 1);
  if (!has_others_) return;
  double next = -std::numeric_limits<double>::infinity();
  for (std::size_t cluster = 0; cluster < sums.size(); ++cluster) {
    if (cluster != own && sizes_[cluster] > 0)
      next = std::max(next, sums[cluster] / static_cast<double>(sizes_[cluster]));
  }
  const double inside = 1 - likeness_[item], outside = 1 - next;
  const double larger = std::max(inside, outside);
  silhouettes_[item] = larger > 0 ? (outside - inside) / larger : 0;
}

FeatureClusters ClusterFigures::take(std::span<const std::uint32_t> features) const {
  std::vector<std::vector<std::size_t>> items(sizes_.size());
  for (std::size_t item = 0; item < cluster_of_.size(); ++item) items[cluster_of_[item]].push_back(item);
  FeatureClusters found;
  double silhouettes = 0;
  for (std::vector<std::size_t>& own : items) {
    if (own.size() < 2) continue;
    std::sort(own.begin(), own.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(-likeness_[a], features[a]) < std::tuple(-likeness_[b], features[b]);
    });
    FeatureCluster cluster;
    double own_silhouettes = 0;
    for (const std::size_t item : own) {
      cluster.features.push_back(features[item]);
      cluster.tightness += likeness_[item] / static_cast<double>(own.size());
      own_silhouettes += silhouettes_[item];
    }
    if (has_others_) cluster.silhouette = own_silhouettes / static_cast<double>(own.size());
    silhouettes += own_silhouettes;
    found.quality.features += own.size();
    found.clusters.push_back(std::move(cluster));
  }
  found.quality.clusters = found.clusters.size();
  if (found.quality.features > 0 && has_others_) {
    found.quality.silhouette = silhouettes / static_cast<double>(found.quality.features);
  }
  std::stable_sort(found.clusters.begin(), found.clusters.end(),
                   [](const FeatureCluster& a, const FeatureCluster& b) { return a.silhouette > b.silhouette; });
  return found;
}

}  // namespace saetap
