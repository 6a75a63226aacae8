#include "plugin/scan/batch_scan.h"

#include <algorithm>

#include "plugin/scan/scalar.h"
#include "plugin/scan/taker.h"

namespace saetap {

namespace {

void scan(const DenseActivations& code, FeatureRange range, const ScanRequest& request, Taker taker) {
  for (std::int64_t row = 0; row < code.rows; ++row) {
    if (request.eligible != nullptr && request.eligible[row] == 0) continue;
    for (auto feature = range.first; feature < range.last; ++feature) {
      const float value = scalar_at(code.values, code.kind, row * code.row_stride + feature * code.feature_stride);
      if (value != 0) taker.take(value, row, feature);
    }
  }
}

template <typename Code, typename Bounds>
void scan_entries(const Code& code, FeatureRange range, const ScanRequest& request, Taker taker, Bounds bounds) {
  for (std::int64_t row = 0; row < code.rows; ++row) {
    if (request.eligible != nullptr && request.eligible[row] == 0) continue;
    const auto [first, last] = bounds(row);
    for (auto entry = first; entry < last; ++entry) {
      const auto feature = index_at(code.features, code.index_kind, entry);
      if (feature < range.first || feature >= range.last) continue;
      const float value = scalar_at(code.values, code.kind, entry);
      if (value != 0) taker.take(value, row, feature);
    }
  }
}

void scan(const PairActivations& code, FeatureRange range, const ScanRequest& request, Taker taker) {
  scan_entries(code, range, request, taker,
               [&](std::int64_t row) { return std::pair(row * code.per_row, (row + 1) * code.per_row); });
}

void scan(const SparseActivations& code, FeatureRange range, const ScanRequest& request, Taker taker) {
  scan_entries(code, range, request, taker, [&](std::int64_t row) {
    return std::pair(index_at(code.row_starts, code.index_kind, row),
                     index_at(code.row_starts, code.index_kind, row + 1));
  });
}

}  // namespace

void scan_features(const Activations& activations, FeatureRange range, const ScanRequest& request, FeatureSums* sums,
                   RangeScan& found) {
  std::fill(sums + range.first, sums + range.last, FeatureSums{});
  found.candidates.clear();
  found.histogram.clear();
  std::visit([&](const auto& code) { scan(code, range, request, Taker{request, sums, found}); }, activations);
}

}  // namespace saetap
