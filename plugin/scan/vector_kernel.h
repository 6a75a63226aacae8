// The inner loops of the scan, with the vector instructions of the machine it runs on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plugin/scan/tile.h"

namespace saetap {

// Rows whose features are contiguous. Row `first_row` + i of the batch begins at values + i * row_stride elements, with
// the first feature of the first tile.
struct ContiguousRows {
  const void* values = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t first_row = 0;
  std::int64_t rows = 0;
  ScalarKind kind = ScalarKind::float32;
  const std::uint8_t* eligible = nullptr;  // of all rows of the batch; null: all count
};

enum class VectorTarget : std::uint8_t { portable, avx2, avx512 };
// What this machine can run, the best one last.
[[nodiscard]] const std::vector<VectorTarget>& vector_targets();

// scan_features with one set of instructions: for tests.
void scan_features(VectorTarget target, const Activations& activations, FeatureRange range, const ScanRequest& request,
                   FeatureSums* sums, RangeScan& found);

// Gives every value that is not zero to its tile, rows in order. `tiles`: neighbours, in order.
void scan_rows(VectorTarget target, const ContiguousRows& rows, std::span<Tile> tiles);
// Takes what is in the tile's list, which is empty then; zeros among it are passed over.
void take_values(VectorTarget target, Tile& tile);

}  // namespace saetap
