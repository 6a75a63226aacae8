#include "integrations/analysis/unit_directions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace saetap {
namespace {

double length_of(const float* row, std::size_t width) {
  double squares = 0;
  for (std::size_t i = 0; i < width; ++i) squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  return std::sqrt(squares);
}

}  // namespace

UnitDirections unit_rows(UnitDirections rows) {
  std::size_t kept = 0;
  // In place: there may be hundreds of megabytes of them.
  for (std::size_t at = 0; at < rows.size(); ++at) {
    const float* from = rows.row(at);
    const double length = length_of(from, rows.width);
    if (!(length > 0) || !std::isfinite(length)) continue;
    float* to = rows.values.data() + kept * rows.width;
    for (std::size_t i = 0; i < rows.width; ++i) to[i] = static_cast<float>(static_cast<double>(from[i]) / length);
    rows.features[kept++] = rows.features[at];
  }
  rows.features.resize(kept);
  rows.values.resize(kept * rows.width);
  return rows;
}

UnitDirections only(UnitDirections directions, std::span<const std::uint8_t> wanted) {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < directions.size(); ++at) {
    if (wanted[directions.features[at]] == 0) continue;
    std::copy_n(directions.row(at), directions.width, directions.values.data() + kept * directions.width);
    directions.features[kept++] = directions.features[at];
  }
  directions.features.resize(kept);
  directions.values.resize(kept * directions.width);
  return directions;
}

UnitDirections unit_directions(std::vector<float> directions, std::int64_t features) {
  UnitDirections rows;
  if (features <= 0 || directions.empty()) return rows;
  rows.width = directions.size() / static_cast<std::size_t>(features);
  rows.features.resize(static_cast<std::size_t>(features));
  std::iota(rows.features.begin(), rows.features.end(), 0u);
  rows.values = std::move(directions);
  return unit_rows(std::move(rows));
}

}  // namespace saetap
