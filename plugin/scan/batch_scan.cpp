#include "plugin/scan/batch_scan.h"

#include <algorithm>
#include <array>

#include "plugin/scan/scalar.h"
#include "plugin/scan/vector_kernel.h"

namespace saetap {

namespace {

std::int64_t bytes_of(ScalarKind kind) {
  return kind == ScalarKind::float64 ? 8 : kind == ScalarKind::float32 ? 4 : 2;
}

const void* at(const DenseActivations& code, std::int64_t row, std::int64_t feature) {
  return static_cast<const char*>(code.values) +
         (code.offset(row) + feature * code.feature_stride) * bytes_of(code.kind);
}

// A few rows at a time are brought into the usual order. The copy is read along whichever stride is the smaller.
template <typename Word>
void straighten(const DenseActivations& code, std::int64_t first_row, std::int64_t rows, FeatureRange range,
                std::vector<std::uint64_t>& buffer) {
  const auto width = range.last - range.first;
  buffer.resize(static_cast<std::size_t>(rows * width) * sizeof(Word) / sizeof(std::uint64_t) + 1);
  auto* to = reinterpret_cast<Word*>(buffer.data());
  const auto* from = static_cast<const Word*>(at(code, first_row, range.first));
  if (std::abs(code.row_stride) < std::abs(code.feature_stride)) {
    for (std::int64_t f = 0; f < width; ++f) {
      for (std::int64_t r = 0; r < rows; ++r) to[r * width + f] = from[r * code.row_stride + f * code.feature_stride];
    }
  } else {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t f = 0; f < width; ++f) to[r * width + f] = from[r * code.row_stride + f * code.feature_stride];
    }
  }
}

void scan_strided(const DenseActivations& code, VectorTarget target, ContiguousRows rows, Tile& tile) {
  constexpr std::int64_t kRowsAtOnce = 64;
  std::vector<std::uint64_t> buffer;
  const auto last = rows.first_row + rows.rows;
  for (auto first = rows.first_row; first < last; first += kRowsAtOnce) {
    rows.first_row = first;
    rows.rows = std::min(kRowsAtOnce, last - first);
    switch (bytes_of(code.kind)) {
      case 8:
        straighten<std::uint64_t>(code, first, rows.rows, tile.range(), buffer);
        break;
      case 4:
        straighten<std::uint32_t>(code, first, rows.rows, tile.range(), buffer);
        break;
      default:
        straighten<std::uint16_t>(code, first, rows.rows, tile.range(), buffer);
    }
    rows.values = buffer.data();
    rows.row_stride = tile.range().last - tile.range().first;
    scan_rows(target, rows, {&tile, 1});
  }
}

// Zeros, and zeros again when it is let go of.
class BinsInHand {
 public:
  explicit BinsInHand(std::size_t size) {
    if (bins_.size() < size) bins_.resize(size);
  }
  ~BinsInHand() {
    if (!handed_over_) bins_.clear();
  }
  BinsInHand(const BinsInHand&) = delete;
  BinsInHand& operator=(const BinsInHand&) = delete;

  [[nodiscard]] std::uint16_t* at(std::size_t place) { return bins_.data() + place; }
  // All tiles have set back what they counted.
  void done() { handed_over_ = true; }

 private:
  // One for a thread, whatever the sites: this is 192 bytes a feature.
  static thread_local std::vector<std::uint16_t> bins_;
  bool handed_over_ = false;
};

thread_local std::vector<std::uint16_t> BinsInHand::bins_;

// Rows are read from end to end, which memory is best at; what is in them goes to lists, one for each tile, and into
// the tile's numbers when its list is long enough to bring those into the cache for.
void scan(const DenseActivations& code, FeatureRange range, const ScanRequest& request, VectorTarget target,
          FeatureSums* sums, RangeScan& found) {
  BinsInHand bins(static_cast<std::size_t>(range.last - range.first) * Tile::kBins);
  std::vector<Tile> tiles;
  for (auto first = range.first; first < range.last; first += Tile::kFeatures) {
    tiles.emplace_back(FeatureRange{first, std::min(first + Tile::kFeatures, range.last)}, request, sums, found,
                       bins.at(static_cast<std::size_t>(first - range.first) * Tile::kBins));
  }
  const auto hand_over = [&] {
    for (Tile& tile : tiles) tile.hand_over();
  };
  std::int64_t counted = 0;  // rows since the last time
  for (std::int64_t row = 0, rows = 0; row < code.rows; row += rows) {
    rows = std::min(Tile::kMostRows, code.rows - row);
    if (code.rows_of_block != 0) rows = std::min(rows, code.rows_of_block - row % code.rows_of_block);
    if (counted + rows > Tile::kMostRows) {
      hand_over();
      counted = 0;
    }
    counted += rows;
    const ContiguousRows part{at(code, row, range.first), code.row_stride, row, rows, code.kind, request.eligible};
    if (code.feature_stride == 1) {
      scan_rows(target, part, tiles);
    } else {
      for (Tile& tile : tiles) scan_strided(code, target, part, tile);
    }
  }
  hand_over();
  bins.done();
}

// Lists the entries first..last-1 of a row that lie in the range, without a branch for each: which ones do is as good
// as random.
template <typename Index, ScalarKind kKind, typename Code>
void list_entries(const Code& code, std::int64_t row, std::int64_t first, std::int64_t last, FeatureRange range,
                  ValueList& list) {
  list.reserve(static_cast<std::size_t>(last - first));
  const auto* features = static_cast<const Index*>(code.features);
  const auto width = static_cast<std::uint64_t>(range.last - range.first);
  auto count = list.count;
  for (auto entry = first; entry < last; ++entry) {
    const std::int64_t feature = features[entry];
    list.rows[count] = static_cast<std::uint32_t>(row);
    list.features[count] = static_cast<std::uint32_t>(feature);
    list.values[count] = scalar_at(code.values, kKind, entry);
    count += static_cast<std::uint64_t>(feature - range.first) < width ? 1 : 0;
  }
  list.count = count;
}

template <typename Index, ScalarKind kKind, typename Code, typename Bounds>
void scan_entries_of(const Code& code, const ScanRequest& request, VectorTarget target, Tile& tile, Bounds bounds) {
  ValueList& list = tile.list();
  for (std::int64_t row = 0; row < code.rows; ++row) {
    if (request.eligible != nullptr && request.eligible[row] == 0) continue;
    const auto [first, last] = bounds(row);
    list_entries<Index, kKind>(code, row, first, last, tile.range(), list);
    if (list.count >= ValueList::kEnough) take_values(target, tile);
  }
  take_values(target, tile);
}

template <typename Index, typename Code, typename Bounds>
void scan_entries(const Code& code, const ScanRequest& request, VectorTarget target, Tile& tile, Bounds bounds) {
  switch (code.kind) {
    case ScalarKind::float32:
      return scan_entries_of<Index, ScalarKind::float32>(code, request, target, tile, bounds);
    case ScalarKind::float64:
      return scan_entries_of<Index, ScalarKind::float64>(code, request, target, tile, bounds);
    case ScalarKind::bfloat16:
      return scan_entries_of<Index, ScalarKind::bfloat16>(code, request, target, tile, bounds);
    case ScalarKind::float16:
      return scan_entries_of<Index, ScalarKind::float16>(code, request, target, tile, bounds);
  }
}

template <typename Code, typename Bounds>
void scan_entries(const Code& code, FeatureRange range, const ScanRequest& request, VectorTarget target,
                  FeatureSums* sums, RangeScan& found, Bounds bounds) {
  Tile tile(range, request, sums, found, nullptr);
  if (code.index_kind == IndexKind::int64) {
    scan_entries<std::int64_t>(code, request, target, tile, bounds);
  } else {
    scan_entries<std::int32_t>(code, request, target, tile, bounds);
  }
}

void scan(const PairActivations& code, FeatureRange range, const ScanRequest& request, VectorTarget target,
          FeatureSums* sums, RangeScan& found) {
  scan_entries(code, range, request, target, sums, found,
               [&](std::int64_t row) { return std::pair(row * code.per_row, (row + 1) * code.per_row); });
}

void scan(const SparseActivations& code, FeatureRange range, const ScanRequest& request, VectorTarget target,
          FeatureSums* sums, RangeScan& found) {
  const auto start = [&](std::int64_t row) { return index_at(code.row_starts, code.index_kind, row); };
  scan_entries(code, range, request, target, sums, found,
               [&](std::int64_t row) { return std::pair(start(row), start(row + 1)); });
}

}  // namespace

void scan_features(VectorTarget target, const Activations& activations, FeatureRange range, const ScanRequest& request,
                   FeatureSums* sums, RangeScan& found) {
  found.candidates.clear();
  found.histogram.clear();
  std::visit([&](const auto& code) { scan(code, range, request, target, sums, found); }, activations);
}

void scan_features(const Activations& activations, FeatureRange range, const ScanRequest& request, FeatureSums* sums,
                   RangeScan& found) {
  scan_features(vector_targets().back(), activations, range, request, sums, found);
}

}  // namespace saetap
