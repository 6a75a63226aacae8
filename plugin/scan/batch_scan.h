// What one pass over a batch of activations yields: sums per feature, and the activations that reach a feature's bar.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

namespace saetap {

// An activation at or above its feature's bar. `row` counts within the batch.
struct Candidate {
  std::uint32_t row;
  std::uint32_t feature;
  float activation;
};

// What one feature did over the eligible rows of one batch. Active means > 0; NaN and infinities are counted apart and
// never enter a sum; negative values are counted, so that a signed feature cannot pass unnoticed.
struct FeatureSums {
  double sum = 0;
  double sum_of_squares = 0;
  float max = 0;
  std::uint32_t active = 0;
  std::uint32_t nonfinite = 0;
  std::uint32_t negative = 0;
};

// A view of dense float32 activations [rows, features]; `row_stride` in elements, features contiguous.
struct DenseActivations {
  const float* values = nullptr;
  std::int64_t rows = 0;
  std::int64_t features = 0;
  std::int64_t row_stride = 0;
};

// A view of a code kept as pairs: `per_row` of them in each row, at most one for each feature. Contiguous.
struct PairActivations {
  const float* values = nullptr;           // [rows, per_row]
  const std::int64_t* features = nullptr;  // [rows, per_row]
  std::int64_t rows = 0;
  std::int64_t per_row = 0;
};

using Activations = std::variant<DenseActivations, PairActivations>;

// The features first..last-1, scanned in the order of the rows. Threads take disjoint ranges of features, so the result
// does not depend on their number.
struct FeatureRange {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// Scans one range. `eligible`: one byte per row, 0 = the row does not count; null = all count. `bars`: the lowest
// activation per feature that becomes a candidate, [features]; null = no candidates are wanted. `sums`: [features],
// only the range is written (reset first). Candidates are appended. Thread-safe for disjoint ranges with separate
// candidate vectors.
void scan_features(const DenseActivations& activations, FeatureRange range, const std::uint8_t* eligible,
                   const float* bars, FeatureSums* sums, std::vector<Candidate>& candidates);
// The same of a code kept as pairs; what no pair names is 0.
void scan_features(const PairActivations& activations, FeatureRange range, const std::uint8_t* eligible,
                   const float* bars, FeatureSums* sums, std::vector<Candidate>& candidates);

}  // namespace saetap
