// Decoder directions without their lengths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/matrix_product.h"

namespace saetap {

// Those of the features that have a direction: rows of length 1.
struct UnitDirections {
  std::vector<std::uint32_t> features;  // whose they are, ascending
  std::vector<float> values;            // [features.size(), width] row-major
  std::size_t width = 0;

  [[nodiscard]] std::size_t size() const { return features.size(); }
  [[nodiscard]] const float* row(std::size_t at) const { return values.data() + at * width; }
  [[nodiscard]] MatrixRows rows(std::size_t first, std::size_t count) const { return {row(first), count, width}; }
};

// `directions`: [features, width] row-major, of which rows that are zero or not finite are left out; may be empty.
[[nodiscard]] UnitDirections unit_directions(std::vector<float> directions, std::int64_t features);

// Each row scaled to length 1 anew; those that are zero or not finite are left out.
[[nodiscard]] UnitDirections unit_rows(UnitDirections rows);

// Those of the features that `wanted`, [features of the site], names: with 0 it is left out.
[[nodiscard]] UnitDirections only(UnitDirections directions, std::span<const std::uint8_t> wanted);

}  // namespace saetap
