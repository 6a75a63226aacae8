#include "integrations/analysis/unit_directions.h"

#include <cmath>
#include <utility>

namespace saetap {
namespace {

double length_of(const float* row, std::size_t width) {
  double squares = 0;
  for (std::size_t i = 0; i < width; ++i) squares += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  return std::sqrt(squares);
}

}  // namespace

UnitDirections unit_directions(std::vector<float> directions, std::int64_t features) {
  UnitDirections unit;
  unit.values = std::move(directions);
  if (features <= 0 || unit.values.empty()) return unit;
  unit.width = unit.values.size() / static_cast<std::size_t>(features);
  // In place: there may be hundreds of megabytes of them.
  for (std::size_t feature = 0; feature < static_cast<std::size_t>(features); ++feature) {
    const float* from = unit.values.data() + feature * unit.width;
    const double length = length_of(from, unit.width);
    if (!(length > 0) || !std::isfinite(length)) continue;
    float* to = unit.values.data() + unit.size() * unit.width;
    for (std::size_t i = 0; i < unit.width; ++i) to[i] = static_cast<float>(static_cast<double>(from[i]) / length);
    unit.features.push_back(static_cast<std::uint32_t>(feature));
  }
  unit.values.resize(unit.size() * unit.width);
  return unit;
}

}  // namespace saetap
