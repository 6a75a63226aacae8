// Features as points of a plane, near each other where their decoder directions are.
#pragma once

#include <cstdint>
#include <vector>

#include "integrations/analysis/unit_directions.h"

namespace saetap {

struct MapPoint {
  std::uint32_t feature = 0;
  double x = 0;
  double y = 0;
};

struct FeatureMap {
  std::vector<MapPoint> points;  // in order of the feature
  // Shares of the variance of the directions that x and y have; 0 where the map is none of principal components.
  double x_share = 0;
  double y_share = 0;
};

// Of directions of so many numbers at most components are found: their covariance takes 512 MB.
inline constexpr std::size_t kWidestPlane = 8192;

// The two principal components of the directions, at most kWidestPlane wide, less their mean. Of each component the
// coefficient of largest magnitude is positive, so that the same store gives the same map. Fewer than three directions,
// or of width 1: no points.
[[nodiscard]] FeatureMap principal_plane(const UnitDirections& directions);

}  // namespace saetap
