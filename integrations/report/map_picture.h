// Features as points of a plane, near each other where their decoder directions are.
#pragma once

#include <string>

#include "integrations/analysis/feature_map.h"
#include "integrations/report/pictures.h"

namespace saetap {

// How the map came about, for people.
struct MapNames {
  std::string method;  // a sentence: "The two principal components of the directions, each of length 1."
  std::string axes;    // "principal component": followed by 1 and 2
};

// Points without a place that is a number are left out. Throws StoreError, and NothingToDraw for a map without points.
[[nodiscard]] Picture map_picture(const PictureRequest& request, const FeatureMap& map, const MapNames& names);

}  // namespace saetap
