#include <algorithm>
#include <array>
#include <bit>

#include "plugin/scan/taker.h"

namespace saetap {
namespace {

// A block is tested as a whole, and one that is not empty turned into bit masks, a quarter at a time: most blocks of an
// SAE's activations are all zero, so the pass runs near the speed of reading memory. Constant lengths let the compiler
// vectorise for any machine.
constexpr std::int64_t kBlock = 64;
constexpr std::int64_t kQuarter = 16;

// True if any of kBlock values is not ±0. Works on the bits (the sign shifted out): NaN has to be seen, and "or" is
// cheaper than a compare.
bool any_nonzero(const float* values) {
  std::uint32_t bits = 0;
  for (std::int64_t i = 0; i < kBlock; ++i) bits |= std::bit_cast<std::uint32_t>(values[i]);
  return (bits << 1) != 0;
}

// Bit i tells whether values[i] is not ±0. The constants stand in a table so that this is compare and "and" on vectors.
std::uint32_t nonzero_mask(const float* values) {
  static constexpr std::array<std::uint32_t, kQuarter> kBit = [] {
    std::array<std::uint32_t, kQuarter> bit{};
    for (std::size_t i = 0; i < bit.size(); ++i) bit[i] = 1u << i;
    return bit;
  }();
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < kBit.size(); ++i) mask |= values[i] != 0 ? kBit[i] : 0u;
  return mask;
}

class RowScan {
 public:
  explicit RowScan(Taker taker) : taker_(taker) {}

  void scan(const float* values, std::uint32_t row, FeatureRange range) {
    std::int64_t feature = range.first;
    for (; feature + kBlock <= range.last; feature += kBlock) {
      if (!any_nonzero(values + feature)) continue;
      for (std::int64_t quarter = feature; quarter < feature + kBlock; quarter += kQuarter) {
        for (std::uint32_t mask = nonzero_mask(values + quarter); mask != 0; mask &= mask - 1) {
          const std::int64_t found = quarter + std::countr_zero(mask);
          taker_.take(values[found], row, found);
        }
      }
    }
    for (; feature < range.last; ++feature) {
      if (values[feature] != 0) taker_.take(values[feature], row, feature);
    }
  }

 private:
  Taker taker_;
};

}  // namespace

void scan_features(const DenseActivations& activations, FeatureRange range, const std::uint8_t* eligible,
                   const float* bars, FeatureSums* sums, std::vector<Candidate>& candidates) {
  std::fill(sums + range.first, sums + range.last, FeatureSums{});
  RowScan scan(Taker{bars, sums, candidates});
  for (std::int64_t row = 0; row < activations.rows; ++row) {
    if (eligible != nullptr && eligible[row] == 0) continue;
    scan.scan(activations.values + row * activations.row_stride, static_cast<std::uint32_t>(row), range);
  }
}

}  // namespace saetap
