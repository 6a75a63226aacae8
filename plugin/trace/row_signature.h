// A robust fingerprint: which of two dimensions of a row is the larger, for a fixed set of pairs of dimensions.
//
// Such a bit does not change when a row is scaled, shifted, layer-normed or divided by its norm, and rarely when it is
// rounded. Centring moves the point at which it turns, and that point is the same for all rows: see RowMatcher.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace saetap {

inline constexpr int kSignatureBits = 256;
inline constexpr int kSignatureWords = kSignatureBits / 64;

struct RowSignature {
  std::array<std::uint64_t, kSignatureWords> words{};

  [[nodiscard]] bool bit(int b) const { return (words[static_cast<std::size_t>(b) / 64] >> (b % 64) & 1) != 0; }
  void set(int b) { words[static_cast<std::size_t>(b) / 64] |= std::uint64_t{1} << (b % 64); }
};

// A row by both its fingerprints: of its bits, and of what survives rounding.
struct SignedRow {
  std::uint64_t fingerprint = 0;  // see row_hash
  RowSignature signature;
};

[[nodiscard]] int differing_bits(const RowSignature& a, const RowSignature& b);

using BitValues = std::array<float, kSignatureBits>;

// The pairs of dimensions that the bits of one stream compare.
class DimensionPairs {
 public:
  // Pairs whose means lie close together measured by their spread (so that centring moves little and about half of all
  // rows have the bit), whose spread is large against the size of the values (so that rounding moves little), and no
  // two of which tell nearly the same. The best come first. `rows`: [count, width], real rows of the stream. Nothing if
  // they do not yield kSignatureBits such pairs: rows that are too narrow, too few or all alike.
  static std::optional<DimensionPairs> choose(const float* rows, std::size_t count, std::size_t width);

  // What each bit compares with 0: row[first] - row[second].
  [[nodiscard]] BitValues differences(const float* row) const;
  [[nodiscard]] RowSignature sign(const float* row) const;

  [[nodiscard]] std::size_t width() const { return width_; }
  // The dimensions of one bit.
  struct Pair {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    float first_spread = 1;  // standard deviation of the dimension over the rows looked at
    float second_spread = 1;
  };
  [[nodiscard]] const std::array<Pair, kSignatureBits>& pairs() const { return pairs_; }
  // For pairs that were chosen elsewhere (a file). Every dimension is below `width`.
  DimensionPairs(const std::array<Pair, kSignatureBits>& pairs, std::size_t width) : width_(width), pairs_(pairs) {}

 private:
  std::size_t width_;
  std::array<Pair, kSignatureBits> pairs_;
};

// So many rows are looked at to choose the pairs.
inline constexpr std::size_t kPairSample = 2048;

}  // namespace saetap
