#include <algorithm>
#include <numeric>
#include <queue>
#include <tuple>
#include <unordered_map>

#include "integrations/analysis/cluster_figures.h"
#include "integrations/analysis/feature_clusters.h"

namespace saetap {
namespace {

constexpr std::size_t kLinks = 32;  // of each feature, its most similar ones

// Average linkage on a sparse graph. A cluster is known by one of its features; `sums` has, of each pair of clusters
// with a link between, the sum of the links.
class Linkage {
 public:
  // Clusters of a mean similarity of at least `least` become one.
  Linkage(const std::vector<std::vector<Neighbor>>& lists, double least)
      : least_(least), sizes_(lists.size(), 1), sums_(lists.size()), cluster_of_(lists.size()) {
    std::iota(cluster_of_.begin(), cluster_of_.end(), 0u);
    for (std::uint32_t feature = 0; feature < lists.size(); ++feature) {
      for (const Neighbor& one : lists[feature]) {
        sums_[feature][one.feature] = sums_[one.feature][feature] = one.cosine;
      }
    }
    for (std::uint32_t feature = 0; feature < lists.size(); ++feature) push_links(feature, /*above_only=*/true);
  }

  void merge_all() {
    while (!links_.empty()) {
      const Link link = links_.top();
      links_.pop();
      // Links of clusters that have changed since are stale; each change pushed new ones.
      if (is_current(link)) merge(link.first, link.second);
    }
  }

  // [features], numbered from 0 without gaps; how many.
  std::size_t number(std::vector<std::uint32_t>& cluster_of) {
    std::vector<std::uint32_t> numbers(sizes_.size(), kNone);
    cluster_of.resize(sizes_.size());
    std::uint32_t count = 0;
    for (std::uint32_t feature = 0; feature < sizes_.size(); ++feature) {
      std::uint32_t& number = numbers[root_of(feature)];
      if (number == kNone) number = count++;
      cluster_of[feature] = number;
    }
    return count;
  }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;
  struct Link {
    double mean = 0;
    std::uint32_t first = 0, second = 0;
    std::uint32_t sizes = 0;  // of both together when it was made
    friend bool operator<(const Link& a, const Link& b) {
      return std::tuple(a.mean, b.first, b.second) < std::tuple(b.mean, a.first, a.second);
    }
  };

  [[nodiscard]] std::uint32_t root_of(std::uint32_t feature) {
    while (cluster_of_[feature] != feature) feature = cluster_of_[feature] = cluster_of_[cluster_of_[feature]];
    return feature;
  }
  [[nodiscard]] bool is_current(const Link& link) const {
    return cluster_of_[link.first] == link.first && cluster_of_[link.second] == link.second &&
           sizes_[link.first] + sizes_[link.second] == link.sizes;
  }

  void push_links(std::uint32_t cluster, bool above_only) {
    for (const auto& [other, sum] : sums_[cluster]) {
      if (above_only && other < cluster) continue;
      const double mean = sum / (static_cast<double>(sizes_[cluster]) * static_cast<double>(sizes_[other]));
      if (mean < least_) continue;
      links_.push({mean, std::min(cluster, other), std::max(cluster, other), sizes_[cluster] + sizes_[other]});
    }
  }

  void merge(std::uint32_t first, std::uint32_t second) {
    if (sums_[first].size() < sums_[second].size()) std::swap(first, second);
    sums_[first].erase(second);
    sums_[second].erase(first);
    for (const auto& [other, sum] : sums_[second]) {
      sums_[other].erase(second);
      sums_[other][first] = sums_[first][other] += sum;
    }
    sums_[second] = {};
    sizes_[first] += sizes_[second];
    cluster_of_[second] = first;
    push_links(first, /*above_only=*/false);
  }

  double least_;
  std::vector<std::uint32_t> sizes_;
  std::vector<std::unordered_map<std::uint32_t, double>> sums_;
  std::vector<std::uint32_t> cluster_of_;  // itself, or the one it has become a part of
  std::priority_queue<Link> links_;
};

FeatureClusters clusters_of(const SampleRows& places, double least) {
  std::vector<std::uint32_t> cluster_of;
  std::size_t clusters = 0;
  {
    NearestKeeper nearest(places.features(), kLinks, 0);
    places.find_similar(nearest, {});
    Linkage linkage(nearest.take(), least);
    linkage.merge_all();
    clusters = linkage.number(cluster_of);
  }
  // What has no sample was not grouped: it is no cluster of its own.
  std::vector<std::uint32_t> features, own_cluster;
  for (std::uint32_t feature = 0; feature < places.features(); ++feature) {
    if (places.samples(feature) == 0) continue;
    features.push_back(feature);
    own_cluster.push_back(cluster_of[feature]);
  }
  ClusterFigures figures(own_cluster, clusters);
  std::vector<double> sums(clusters);
  for (std::size_t item = 0; item < features.size(); ++item) {
    if (figures.size_of(own_cluster[item]) < 2) continue;
    std::fill(sums.begin(), sums.end(), 0);
    for (const SharedSamples& one : places.sharing_with(features[item]))
      sums[cluster_of[one.feature]] += one.similarity;
    figures.add(item, sums);
  }
  return figures.take(features);
}

}  // namespace

FeatureClusters cluster_samples(const SampleRows& places, double least, std::uint64_t seed,
                                const std::function<void()>& step_done) {
  FeatureClusters found = clusters_of(places, least);
  if (step_done) step_done();
  found.by_chance = clusters_of(places.shuffled(seed), least).quality;
  if (step_done) step_done();
  return found;
}

}  // namespace saetap
