// What one pass over a batch of activations yields: sums and a histogram per feature, and the activations that a
// callback may want to keep.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace saetap {

// How a number is stored. Values are widened one by one, and only those that are not zero.
enum class ScalarKind : std::uint8_t { float32, float64, bfloat16, float16 };
enum class IndexKind : std::uint8_t { int32, int64 };

// An activation that some callback wants to look at: it reaches its feature's bar, or its row's hash lies below the
// feature's. `row` counts within the batch.
struct Candidate {
  std::uint32_t row;
  std::uint32_t feature;
  float activation;
};

// What one feature did over the eligible rows of one batch. Active means not zero and finite: a signed feature ranks by
// its magnitude and keeps its sign. NaN and infinities are counted apart and never enter a sum.
struct FeatureSums {
  double sum = 0;
  double sum_of_squares = 0;
  float max = 0;  // the value of the largest magnitude, with its sign
  std::uint32_t active = 0;
  std::uint32_t nonfinite = 0;
  std::uint32_t negative = 0;  // of the active
};

// The value of the larger magnitude; of two equal ones, the positive.
[[nodiscard]] inline float larger(float a, float b) {
  const float size_a = std::abs(a), size_b = std::abs(b);
  return size_a > size_b || (size_a == size_b && a > b) ? a : b;
}

// How often the magnitude of a feature's active values fell into a bin of the histogram: see activation_histogram.h.
struct HistogramCount {
  std::uint32_t feature;
  std::uint16_t bin;
  std::uint16_t count;
};

// A view of dense activations [rows, features]; strides in elements, any of them may be the small one. Where the rows
// come in blocks (a slice of [blocks, rows of a block, features]), row_stride leads from row to row of a block.
struct DenseActivations {
  const void* values = nullptr;
  std::int64_t rows = 0;
  std::int64_t features = 0;
  std::int64_t row_stride = 0;
  std::int64_t feature_stride = 1;
  ScalarKind kind = ScalarKind::float32;
  std::int64_t rows_of_block = 0;  // 0: there is one block
  std::int64_t block_stride = 0;

  // Of the row's first element.
  [[nodiscard]] std::int64_t offset(std::int64_t row) const {
    if (rows_of_block == 0) return row * row_stride;
    return row / rows_of_block * block_stride + row % rows_of_block * row_stride;
  }
};

// A view of a code kept as pairs: `per_row` of them in each row, at most one for each feature. Contiguous.
struct PairActivations {
  const void* values = nullptr;    // [rows, per_row]
  const void* features = nullptr;  // [rows, per_row]
  std::int64_t rows = 0;
  std::int64_t per_row = 0;
  ScalarKind kind = ScalarKind::float32;
  IndexKind index_kind = IndexKind::int64;
};

// A view of a sparse code, row by row (CSR): the entries of row r are row_starts[r] to row_starts[r + 1] - 1, at most
// one for each feature.
struct SparseActivations {
  const void* values = nullptr;      // [entries]
  const void* features = nullptr;    // [entries]
  const void* row_starts = nullptr;  // [rows + 1], of the same kind as `features`
  std::int64_t rows = 0;
  ScalarKind kind = ScalarKind::float32;
  IndexKind index_kind = IndexKind::int64;
};

using Activations = std::variant<DenseActivations, PairActivations, SparseActivations>;

// The features first..last-1, scanned in the order of the rows. Threads take disjoint ranges of features, so the result
// does not depend on their number.
struct FeatureRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// What is looked for beside the sums. An eligible row's value v of feature f is a candidate if |v| >= bars[f], or if
// row_hashes[row] <= hash_bars[f]. Each pair of a bar and what it is held against may be null: nothing is wanted of it.
struct ScanRequest {
  const std::uint8_t* eligible = nullptr;     // [rows], 0 = the row does not count; null = all count
  const float* bars = nullptr;                // [features], magnitudes
  const std::uint32_t* hash_bars = nullptr;   // [features]
  const std::uint32_t* row_hashes = nullptr;  // [rows]
};

// One thread's part of what a scan finds; kept from batch to batch for its memory.
struct RangeScan {
  // One feature's in the order of the rows, features in no order.
  std::vector<Candidate> candidates;
  std::vector<HistogramCount> histogram;  // a feature and bin may come several times
};

// Scans one range. `sums`: [features], only the range is written (reset first). What `found` held is replaced.
// Thread-safe for disjoint ranges with separate `found`. Feature numbers outside of the site's are passed over.
void scan_features(const Activations& activations, FeatureRange range, const ScanRequest& request, FeatureSums* sums,
                   RangeScan& found);

}  // namespace saetap
