// Groups of directions, each around a direction of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "integrations/analysis/unit_directions.h"

namespace saetap {

struct KMeansRequest {
  std::size_t clusters = 2;  // at most as many as directions
  std::uint64_t seed = 1;    // the same seed gives the same clusters
  std::size_t starts = 3;    // of which the one with the highest mean cosine is taken
};

struct KMeans {
  std::vector<std::uint32_t> cluster_of;  // [directions], below `clusters`; every cluster has at least one
  std::vector<float> centres;             // [clusters, width], each of length 1
  double mean_cosine = 0;                 // of the directions with their cluster's centre: what is made large
};

// Spherical k-means (Dhillon and Modha), begun by k-means++ with several candidates for each centre, chosen among 8,192
// directions at random (or 16 for each cluster) where there are more. `start_done` is called after each start; may be
// empty.
[[nodiscard]] KMeans spherical_kmeans(const UnitDirections& directions, const KMeansRequest& request,
                                      const std::function<void()>& start_done);

}  // namespace saetap
