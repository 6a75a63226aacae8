// What a scan does with the values of a row that are not zero, for a part of the features at a time, so that everything
// it writes stays in the cache.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "plugin/scan/activation_histogram.h"
#include "plugin/scan/batch_scan.h"

namespace saetap {

// Values of rows that count, in the order of the rows, gathered until it is worth while to look at them.
struct ValueList {
  static constexpr std::size_t kEnough = 64;
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
  // Whether the histogram is counted here and handed over at the end, or value by value: for wide ranges.
  enum class Bins : std::uint8_t { at_hand, none_at_hand };

  // Sums of the range are reset. `sums`: of all features.
  Tile(FeatureRange range, const ScanRequest& request, FeatureSums* sums, RangeScan& found,
       Bins bins_at = Bins::at_hand)
      : range_(range), request_(request), sums_(sums), found_(found), at_hand_(bins_at == Bins::at_hand ? kBins : 0) {
    std::fill(sums + range.first, sums + range.last, FeatureSums{});
    const auto bins = static_cast<std::size_t>((range.last - range.first) * at_hand_);
    if (found.bins_in_hand.size() < bins) found.bins_in_hand.assign(bins, 0);
    counts_ = found.bins_in_hand.data();
  }

  [[nodiscard]] const FeatureRange& range() const { return range_; }
  [[nodiscard]] const ScanRequest& request() const { return request_; }

  // `bin`: of the value's magnitude, also where it is 0 or not finite. Inlined, or the kernels' wide registers would
  // have to be cleared for each call of code that was compiled for narrow ones.
  [[gnu::always_inline]] void take(float value, std::uint32_t feature, std::uint32_t bin) {
    auto& sums = sums_[feature];
    if (bin - 1 >= kHistogramBins - 1) [[unlikely]] {  // 0, a denormal, an infinity or NaN
      if (value == 0) return;
      if (bin != 0) {
        ++sums.nonfinite;
        return;
      }
    }
    const double wide = value;
    sums.sum += wide;
    sums.sum_of_squares += wide * wide;
    ++sums.active;
    sums.negative += value < 0 ? 1 : 0;
    if (std::abs(value) >= std::abs(sums.max)) sums.max = larger(sums.max, value);
    const auto at_hand = bin - kFirstBin;
    if (at_hand < at_hand_) [[likely]] {
      ++counts_[(feature - static_cast<std::uint32_t>(range_.first)) * kBins + at_hand];
    } else {
      found_.histogram.push_back({feature, static_cast<std::uint16_t>(bin), 1});
    }
  }

  void add_candidate(std::int64_t row, std::uint32_t feature, float value) {
    const bool kept = value != 0 && std::abs(value) <= std::numeric_limits<float>::max();
    if (kept) found_.candidates.push_back({static_cast<std::uint32_t>(row), feature, value});
  }

  // Hands the histogram over. Comes after at most kMostRows rows, or a bin may overflow.
  static constexpr std::int64_t kMostRows = UINT16_MAX;
  void hand_over() {
    const auto bins = static_cast<std::size_t>((range_.last - range_.first) * at_hand_);
    // Most of the bins are empty: several are looked at together.
    static_assert(kBins % 4 == 0);
    for (std::size_t i = 0; i < bins; i += 4) {
      std::uint64_t four;
      std::memcpy(&four, counts_ + i, sizeof four);
      if (four == 0) continue;
      for (std::size_t bin = i; bin < i + 4; ++bin) {
        if (counts_[bin] == 0) continue;
        found_.histogram.push_back({static_cast<std::uint32_t>(range_.first) + static_cast<std::uint32_t>(bin / kBins),
                                    static_cast<std::uint16_t>(kFirstBin + bin % kBins), counts_[bin]});
        counts_[bin] = 0;
      }
    }
  }

 private:
  // Bins kept at hand: 2^-12 to 2^12. What lies outside is handed over one by one.
  static constexpr std::uint32_t kFirstBin = (127 - 12) * kBinsPerOctave;
  static constexpr std::uint32_t kBins = 24 * kBinsPerOctave;

  FeatureRange range_;
  const ScanRequest& request_;
  FeatureSums* sums_;
  RangeScan& found_;
  std::uint32_t at_hand_;  // bins of a feature
  std::uint16_t* counts_ = nullptr;
};

}  // namespace saetap
