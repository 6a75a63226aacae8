// What a scan does with the values of a row that are not zero, for a part of the features at a time, so that everything
// it writes stays in the cache.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "plugin/scan/activation_histogram.h"
#include "plugin/scan/batch_scan.h"

namespace saetap {

// Values of rows that count, in the order of the rows, gathered until it is worth while to look at them: what a tile
// counts in is not in the cache while others are looked at.
struct ValueList {
  static constexpr std::size_t kEnough = 2048;
  static constexpr std::size_t kPadding = 16;  // behind the last one, which may be read

  std::vector<std::uint32_t> rows;
  std::vector<std::uint32_t> features;
  std::vector<float> values;
  std::vector<std::uint32_t> bins;  // made when the list is looked at
  std::size_t count = 0;

  // Room for so many more.
  void reserve(std::size_t more) {
    const auto room = count + more + kPadding;
    if (values.size() >= room) return;
    rows.resize(room);
    features.resize(room);
    values.resize(room);
    bins.resize(room);
  }
};

// The features of `range`, over all rows of a batch.
class Tile {
 public:
  static constexpr std::int64_t kFeatures = 1024;
  static constexpr std::uint32_t kBins = 24 * kBinsPerOctave;

  // Sums of the range are reset. `sums`: of all features. `bins`: kBins zeros for each feature of the range, to count
  // the histogram in until it is handed over; null: it is handed over value by value.
  Tile(FeatureRange range, const ScanRequest& request, FeatureSums* sums, RangeScan& found, std::uint16_t* bins)
      : range_(range), request_(request), sums_(sums), found_(found), at_hand_(bins ? kBins : 0), counts_(bins) {
    std::fill(sums + range.first, sums + range.last, FeatureSums{});
  }

  [[nodiscard]] ValueList& list() { return list_; }
  [[nodiscard]] const FeatureRange& range() const { return range_; }
  [[nodiscard]] const ScanRequest& request() const { return request_; }

  // What is in the list, whose bins are made: of the magnitudes, also of those that are 0 or not finite. The list is
  // empty then. Inlined, or the kernels' wide registers would have to be cleared for each call of code that was
  // compiled for narrow ones.
  [[gnu::always_inline]] void take_list() {
    const auto* values = list_.values.data();
    const auto* features = list_.features.data();
    const auto* bins = list_.bins.data();
    auto* const sums = sums_;
    auto* const counts = counts_ ? counts_ - range_.first * kBins : nullptr;
    const auto at_hand = at_hand_;
    const auto count = list_.count;
    for (std::size_t i = 0; i < count; ++i) {
      constexpr std::size_t kSoon = 16;
      static_assert(kSoon <= ValueList::kPadding);
      const auto soon = features[i + kSoon];
      __builtin_prefetch(sums + soon, 1);
      if (counts) __builtin_prefetch(counts + soon * kBins + bins[i + kSoon] - kFirstBin, 1);
      const auto value = values[i];
      const auto feature = features[i];
      const auto bin = bins[i];
      auto& of = sums[feature];
      if (bin - 1 >= kHistogramBins - 1) [[unlikely]] {  // 0, a denormal, an infinity or NaN
        if (value == 0) continue;
        if (bin != 0) {
          ++of.nonfinite;
          continue;
        }
      }
      const double wide = value;
      of.sum += wide;
      of.sum_of_squares += wide * wide;
      ++of.active;
      of.negative += std::bit_cast<std::uint32_t>(value) >> 31;
      if (std::abs(value) >= std::abs(of.max)) of.max = larger(of.max, value);
      if (bin - kFirstBin < at_hand) [[likely]] {
        ++counts[std::size_t{feature} * kBins + bin - kFirstBin];
      } else {
        found_.histogram.push_back({feature, static_cast<std::uint16_t>(bin), 1});
      }
    }
    list_.count = 0;
  }

  void add_candidate(std::int64_t row, std::uint32_t feature, float value) {
    const bool kept = value != 0 && std::abs(value) <= std::numeric_limits<float>::max();
    if (kept) found_.candidates.push_back({static_cast<std::uint32_t>(row), feature, value});
  }

  // Hands the histogram over. Comes after at most kMostRows rows, or a bin may overflow.
  static constexpr std::int64_t kMostRows = UINT16_MAX;
  void hand_over() {
    if (counts_ == nullptr) return;
    auto& histogram = found_.histogram;
    auto size = histogram.size();
    auto* four = counts_;
    for (auto feature = range_.first; feature < range_.last; ++feature) {
      if (histogram.size() < size + kBins) histogram.resize(2 * size + 4096);
      auto* to = histogram.data();
      // Most of the bins are empty: several are looked at together. Which of four are not is as good as random.
      static_assert(kBins % 4 == 0);
      for (std::uint32_t bin = 0; bin < kBins; bin += 4, four += 4) {
        std::uint64_t all;
        std::memcpy(&all, four, sizeof all);
        if (all == 0) continue;
        for (std::uint32_t i = 0; i < 4; ++i) {
          to[size] = {static_cast<std::uint32_t>(feature), static_cast<std::uint16_t>(kFirstBin + bin + i), four[i]};
          size += four[i] != 0 ? 1 : 0;
        }
        all = 0;
        std::memcpy(four, &all, sizeof all);
      }
    }
    histogram.resize(size);
  }

 private:
  // Bins kept at hand: 2^-12 to 2^12. What lies outside is handed over one by one.
  static constexpr std::uint32_t kFirstBin = (127 - 12) * kBinsPerOctave;

  ValueList list_;
  FeatureRange range_;
  const ScanRequest& request_;
  FeatureSums* sums_;
  RangeScan& found_;
  std::uint32_t at_hand_;  // bins of a feature
  std::uint16_t* counts_;
};

}  // namespace saetap
