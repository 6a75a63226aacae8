#include "plugin/trace/row_signature.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>

namespace saetap {
namespace {

constexpr std::size_t kSampleWords = kPairSample / 64;
constexpr std::size_t kFewestRows = 256;
constexpr int kTries = 16384;
// Correlation of two bits; the later ones where rows are narrow and pairs few.
constexpr std::array<double, 3> kMostAlike{0.35, 0.5, 0.7};
constexpr double kMostUneven = 0.2;  // how far from one half of the rows a bit may be set

struct Moments {
  std::vector<double> mean;
  std::vector<double> size;  // root of the mean square
  [[nodiscard]] float spread(std::size_t d) const {
    return static_cast<float>(std::sqrt(std::max(0.0, size[d] * size[d] - mean[d] * mean[d])));
  }
};

Moments moments_of(const float* rows, std::size_t count, std::size_t width) {
  Moments moments{std::vector<double>(width), std::vector<double>(width)};
  for (std::size_t row = 0; row < count; ++row) {
    for (std::size_t d = 0; d < width; ++d) {
      const double value = rows[row * width + d];
      moments.mean[d] += value;
      moments.size[d] += value * value;
    }
  }
  for (std::size_t d = 0; d < width; ++d) {
    moments.mean[d] /= static_cast<double>(count);
    moments.size[d] = std::sqrt(moments.size[d] / static_cast<double>(count));
  }
  return moments;
}

struct RatedPair {
  DimensionPairs::Pair pair;
  double badness = 0;
};

// How far centring and rounding would move a pair's point of turning, in units of its spread.
double badness_of(DimensionPairs::Pair pair, const Moments& moments, const float* rows, std::size_t count,
                  std::size_t width) {
  double sum = 0, squares = 0;
  for (std::size_t row = 0; row < count; ++row) {
    const double difference = double{rows[row * width + pair.first]} - rows[row * width + pair.second];
    sum += difference;
    squares += difference * difference;
  }
  const double mean = sum / static_cast<double>(count);
  const double spread = std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean * mean));
  if (!(spread > 0) || !std::isfinite(spread)) return HUGE_VAL;
  constexpr double kRounding = 0.3;
  constexpr double kCentring = 4;
  return (kCentring * std::abs(mean) + kRounding * (moments.size[pair.first] + moments.size[pair.second])) / spread;
}

// Random pairs of dimensions with means that are neighbours, best first. The same for the same rows.
std::vector<RatedPair> rated_pairs(const float* rows, std::size_t count, std::size_t width) {
  const auto moments = moments_of(rows, count, width);
  std::vector<std::uint32_t> by_mean(width);
  std::iota(by_mean.begin(), by_mean.end(), 0u);
  std::stable_sort(by_mean.begin(), by_mean.end(), [&](auto a, auto b) { return moments.mean[a] < moments.mean[b]; });
  const auto reach = std::max<std::size_t>(8, width / 8);
  std::mt19937_64 random(width);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> tried;
  for (int i = 0; i < kTries; ++i) {
    const auto a = random() % width;
    const auto b = a + 1 + random() % reach;
    if (b < width) tried.emplace_back(by_mean[a], by_mean[b]);
  }
  std::sort(tried.begin(), tried.end());
  tried.erase(std::unique(tried.begin(), tried.end()), tried.end());

  std::vector<RatedPair> rated;
  const auto looked_at = std::min<std::size_t>(count, 512);
  for (const auto& [first, second] : tried) {
    const DimensionPairs::Pair pair{first, second, moments.spread(first), moments.spread(second)};
    const auto badness = badness_of(pair, moments, rows, looked_at, width);
    if (std::isfinite(badness)) rated.push_back({pair, badness});
  }
  std::stable_sort(rated.begin(), rated.end(), [](const auto& a, const auto& b) { return a.badness < b.badness; });
  return rated;
}

using SampleBits = std::array<std::uint64_t, kSampleWords>;

// The best pairs of which no two bits have a correlation above `most_alike`; false if there are not enough of them.
bool choose_unlike(const std::vector<RatedPair>& rated, const float* rows, std::size_t count, std::size_t width,
                   double most_alike, std::array<DimensionPairs::Pair, kSignatureBits>& chosen) {
  // No dimension may decide too much: noise in one would flip all its bits.
  const auto most_uses = std::max<std::size_t>(3, (2 * kSignatureBits * 3 / 2 + width - 1) / width);
  std::vector<std::size_t> uses(width);
  std::vector<SampleBits> accepted;
  for (const auto& [pair, badness] : rated) {
    if (uses[pair.first] >= most_uses || uses[pair.second] >= most_uses) continue;
    SampleBits bits{};
    std::size_t ones = 0;
    for (std::size_t row = 0; row < count; ++row) {
      const bool one = rows[row * width + pair.first] > rows[row * width + pair.second];
      bits[row / 64] |= std::uint64_t{one} << (row % 64);
      ones += one ? 1 : 0;
    }
    if (std::abs(static_cast<double>(ones) / static_cast<double>(count) - 0.5) > kMostUneven) continue;
    const auto tells_the_same = [&](const SampleBits& other) {
      int differing = 0;
      for (std::size_t w = 0; w < kSampleWords; ++w) differing += std::popcount(bits[w] ^ other[w]);
      return std::abs(2.0 * differing / static_cast<double>(count) - 1) > most_alike;
    };
    if (std::any_of(accepted.begin(), accepted.end(), tells_the_same)) continue;
    chosen[accepted.size()] = pair;
    accepted.push_back(bits);
    ++uses[pair.first];
    ++uses[pair.second];
    if (accepted.size() == kSignatureBits) return true;
  }
  return false;
}

}  // namespace

int differing_bits(const RowSignature& a, const RowSignature& b) {
  int bits = 0;
  for (std::size_t w = 0; w < a.words.size(); ++w) bits += std::popcount(a.words[w] ^ b.words[w]);
  return bits;
}

std::optional<DimensionPairs> DimensionPairs::choose(const float* rows, std::size_t count, std::size_t width) {
  count = std::min(count, kPairSample);
  if (count < kFewestRows || width < 2) return std::nullopt;
  const auto rated = rated_pairs(rows, count, width);
  for (const double most_alike : kMostAlike) {
    std::array<Pair, kSignatureBits> pairs;
    if (choose_unlike(rated, rows, count, width, most_alike, pairs)) return DimensionPairs(pairs, width);
  }
  return std::nullopt;
}

BitValues DimensionPairs::differences(const float* row) const {
  BitValues values;
  for (std::size_t b = 0; b < values.size(); ++b) values[b] = row[pairs_[b].first] - row[pairs_[b].second];
  return values;
}

RowSignature DimensionPairs::sign(const float* row) const {
  RowSignature signature;
  for (std::size_t w = 0; w < signature.words.size(); ++w) {
    std::uint64_t word = 0;
    for (std::size_t b = 0; b < 64; ++b) {
      const auto& pair = pairs_[w * 64 + b];
      word |= std::uint64_t{row[pair.first] > row[pair.second]} << b;
    }
    signature.words[w] = word;
  }
  return signature;
}

}  // namespace saetap
