#include <algorithm>
#include <cmath>

#include "integrations/analysis/cluster_figures.h"
#include "integrations/analysis/feature_clusters.h"
#include "integrations/analysis/random_numbers.h"
#include "integrations/analysis/spherical_kmeans.h"

namespace saetap {
namespace {

constexpr std::size_t kBlock = 2048;  // directions multiplied at a time

// A direction's cosines with all of a cluster add up to its product with the sum of these.
FeatureClusters with_figures(const UnitDirections& directions, const KMeans& found, std::size_t clusters) {
  const std::size_t width = directions.width;
  ClusterFigures figures(found.cluster_of, clusters);
  std::vector<float> sums(clusters * width), products;
  for (std::size_t row = 0; row < directions.size(); ++row) {
    float* sum = sums.data() + found.cluster_of[row] * width;
    for (std::size_t i = 0; i < width; ++i) sum[i] += directions.row(row)[i];
  }
  std::vector<double> own(clusters);
  for (std::size_t first = 0; first < directions.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, directions.size() - first);
    products.resize(count * clusters);
    multiply_rows(directions.rows(first, count), {sums.data(), clusters, width}, products.data());
    for (std::size_t i = 0; i < count; ++i) {
      std::copy_n(products.begin() + static_cast<std::ptrdiff_t>(i * clusters), clusters, own.begin());
      own[found.cluster_of[first + i]] -= 1;  // with itself
      figures.add(first + i, own);
    }
  }
  return figures.take(directions.features);
}

// The numbers of each dimension permuted among the features, and each direction scaled to length 1 again.
UnitDirections permuted(const UnitDirections& directions, std::uint64_t seed) {
  UnitDirections mixed = directions;
  RandomBits bits(seed);
  std::vector<float> column(directions.size());
  for (std::size_t i = 0; i < directions.width; ++i) {
    for (std::size_t row = 0; row < column.size(); ++row) column[row] = mixed.values[row * mixed.width + i];
    shuffle(std::span(column), bits);
    for (std::size_t row = 0; row < column.size(); ++row) mixed.values[row * mixed.width + i] = column[row];
  }
  return unit_rows(std::move(mixed));
}

FeatureClusters clusters_of(const UnitDirections& directions, const DirectionClustering& request,
                            const std::function<void()>& step_done) {
  const KMeansRequest kmeans{.clusters = request.clusters, .seed = request.seed, .starts = kClusteringStarts};
  return with_figures(directions, spherical_kmeans(directions, kmeans, step_done), request.clusters);
}

}  // namespace

FeatureClusters cluster_directions(const UnitDirections& directions, const DirectionClustering& request,
                                   const std::function<void()>& step_done) {
  FeatureClusters found = clusters_of(directions, request, step_done);
  const UnitDirections mixed = permuted(directions, request.seed);
  DirectionClustering by_chance = request;
  by_chance.clusters = std::min(request.clusters, mixed.size());
  found.by_chance = clusters_of(mixed, by_chance, step_done).quality;
  return found;
}

std::size_t usual_clusters(std::size_t count) {
  return std::max<std::size_t>(2, static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(count) / 2))));
}

}  // namespace saetap
