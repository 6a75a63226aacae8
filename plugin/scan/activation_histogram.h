// A log-spaced histogram of magnitudes: four bins to an octave, over every float.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "plugin/scan/batch_scan.h"

namespace saetap {

// Bin b holds the magnitudes from 2^(b/4 - 127) up to below 2^((b + 1)/4 - 127). Whatever lies in a bin is within a
// factor of 2^(1/8), 9.1 %, of its geometric middle. Denormals lie in the lowest four bins, where this does not hold.
inline constexpr int kBinsPerOctave = 4;
inline constexpr int kHistogramBins = 255 * kBinsPerOctave;
inline constexpr double kQuantileError = 0.0906;  // 2^(1/8) - 1, relative

// `magnitude`: finite and not negative.
[[nodiscard]] inline std::uint32_t histogram_bin(float magnitude) {
  const auto bits = std::bit_cast<std::uint32_t>(magnitude);
  const auto fraction = bits & 0x7FFFFFu;
  // The fractions of 2^(1/4), 2^(1/2) and 2^(3/4), rounded up: a carry into bit 23 tells that one is reached. (Which of
  // them are is as good as random: compilers make branches of comparisons, and those cost more than all the rest.)
  constexpr std::uint32_t kOne = 1u << 23;
  const std::uint32_t quarter = ((fraction + (kOne - 0x1837F1u)) >> 23) + ((fraction + (kOne - 0x3504F4u)) >> 23) +
                                ((fraction + (kOne - 0x5744FDu)) >> 23);
  return (bits >> 23) * kBinsPerOctave + quarter;
}

// The geometric middle of a bin.
[[nodiscard]] float bin_middle(std::uint32_t bin);

// The histogram of one feature; memory for the bins between the lowest and the highest used. Adding two spans gives the
// histogram of both.
class ActivationHistogram {
 public:
  void add(std::uint32_t bin, std::uint64_t count);
  void add(const ActivationHistogram& other);

  // The magnitude below which `share` (0 to 1) of the values lie, within kQuantileError; 0 if there are none.
  [[nodiscard]] float quantile(double share) const;

  [[nodiscard]] std::uint64_t total() const;
  // The lowest bin used; counts() of it and of those after it, without gaps.
  [[nodiscard]] std::uint32_t first() const { return first_; }
  [[nodiscard]] const std::vector<std::uint64_t>& counts() const { return counts_; }
  // From what the two above gave.
  [[nodiscard]] static ActivationHistogram of(std::uint32_t first, std::vector<std::uint64_t> counts);

  friend bool operator==(const ActivationHistogram&, const ActivationHistogram&) = default;

 private:
  std::uint32_t first_ = 0;
  std::vector<std::uint64_t> counts_;
};

}  // namespace saetap
