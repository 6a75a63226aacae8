#include "plugin/trace/bit_thresholds.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "plugin/trace/bit_fit.h"

namespace saetap {
namespace {

constexpr double kLeastZone = 0.012;
constexpr double kZoneMargin = 1.25;
// In units of the row's contrast: one enormous number among a row's says no more than that.
constexpr float kMostWrong = 4;

// So many bits are read out of the rows at once: their values lie side by side there.
constexpr std::size_t kColumns = 16;
using Columns = std::array<BitColumn, kColumns>;

void read_columns(std::span<const MatchedRow> rows, std::span<const std::uint32_t> used, std::size_t first_bit,
                  std::size_t bits, Columns& columns) {
  for (std::size_t c = 0; c < bits; ++c) {
    columns[c].first.resize(used.size());
    columns[c].second.resize(used.size());
    columns[c].set.resize(used.size());
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    const auto& row = rows[used[i]];
    for (std::size_t c = 0; c < bits; ++c) {
      columns[c].first[i] = row.first[first_bit + c];
      columns[c].second[i] = row.second[first_bit + c];
      columns[c].set[i] = row.signature.bit(static_cast<int>(first_bit + c)) ? 1 : 0;
    }
  }
}

// Each bit by itself.
void fit_bits(std::span<const MatchedRow> rows, std::span<const std::uint32_t> used, bool weighed,
              const ParallelFor& parallel, BitThresholds& fitted, BitValues& gaps) {
  parallel(kSignatureBits, [&](std::size_t first, std::size_t last) {
    Columns columns;
    for (auto block = first; block < last; block += kColumns) {
      const auto bits = std::min(kColumns, last - block);
      read_columns(rows, used, block, bits, columns);
      for (std::size_t c = 0; c < bits; ++c) {
        const auto b = block + c;
        BitTurn turn{fitted.first_weight[b], fitted.second_weight[b], fitted.threshold[b]};
        if (weighed) fit_weights(columns[c], turn);
        fit_threshold(columns[c], turn);
        fitted.first_weight[b] = turn.first_weight;
        fitted.second_weight[b] = turn.second_weight;
        fitted.threshold[b] = turn.threshold;
        gaps[b] = turn.gap;
      }
    }
  });
}

RowSignature set_bits(const BitThresholds& thresholds, const MatchedRow& row) {
  RowSignature bits;
  for (std::size_t w = 0; w < kSignatureWords; ++w) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const auto b = w * 64 + i;
      word |= std::uint64_t{thresholds.above(b, row.first[b], row.second[b]) > 0} << i;
    }
    bits.words[w] = word;
  }
  return bits;
}

// Of each row.
std::vector<int> wrong_bits(const BitThresholds& thresholds, std::span<const MatchedRow> rows,
                            const ParallelFor& parallel) {
  std::vector<int> wrong(rows.size());
  parallel(rows.size(), [&](std::size_t first, std::size_t last) {
    for (auto row = first; row < last; ++row) {
      wrong[row] = differing_bits(set_bits(thresholds, rows[row]), rows[row].signature);
    }
  });
  return wrong;
}

// The rows that are not much worse than most.
std::vector<std::uint32_t> well_fitting(const std::vector<int>& wrong) {
  auto sorted = wrong;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  const int most = 3 * *middle + 2;
  std::vector<std::uint32_t> kept;
  for (std::uint32_t row = 0; row < wrong.size(); ++row) {
    if (wrong[row] <= most) kept.push_back(row);
  }
  return kept;
}

// Scaling and layer norm alone move no threshold away from 0, and 0 is better than what can be fitted.
bool zero_is_as_good(std::span<const std::uint32_t> used, const std::vector<int>& fitted,
                     const std::vector<int>& zero) {
  long fitted_wrong = 0, zero_wrong = 0;
  for (const auto row : used) {
    fitted_wrong += fitted[row];
    zero_wrong += zero[row];
  }
  return static_cast<double>(zero_wrong) <=
         1.2 * static_cast<double>(fitted_wrong) + 0.02 * static_cast<double>(used.size());
}

void fit_zones(std::span<const MatchedRow> rows, std::span<const std::uint32_t> used, const std::vector<int>& wrong,
               const BitValues& gaps, BitThresholds& fitted) {
  std::vector<float> all;  // how far from the threshold a bit was wrong
  BitValues furthest{};
  std::vector<float> contrasts;
  for (const auto at : used) contrasts.push_back(contrast(fitted, rows[at].first, rows[at].second));
  auto sorted = contrasts;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
  fitted.usual_contrast = sorted[sorted.size() / 2];
  for (std::size_t i = 0; i < used.size(); ++i) {
    const auto& row = rows[used[i]];
    const auto unit = std::max(contrasts[i], fitted.usual_contrast);
    if (wrong[used[i]] == 0 || !(unit > 0)) continue;
    for (std::size_t b = 0; b < kSignatureBits; ++b) {
      const auto above = fitted.above(b, row.first[b], row.second[b]);
      if ((above > 0) == row.signature.bit(static_cast<int>(b))) continue;
      all.push_back(std::min(std::abs(above) / unit, kMostWrong));
      furthest[b] = std::max(furthest[b], all.back());
    }
  }
  const auto quantile = [&](double q) {
    if (all.empty()) return 0.0;
    const auto at = all.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), at, all.end());
    return static_cast<double>(*at);
  };
  const double usual = quantile(0.99);
  // Few wrong bits say little about how far they can be wrong.
  const double rare = static_cast<double>(all.size()) / static_cast<double>(used.size());
  fitted.noise = quantile(0.9) * std::min(1.0, rare);
  for (std::size_t b = 0; b < kSignatureBits; ++b) {
    const double uncertain = std::max<double>(usual, furthest[b]);
    const double gap = fitted.usual_contrast > 0 ? gaps[b] / fitted.usual_contrast : 0;
    fitted.zone[b] = static_cast<float>(std::max(kLeastZone, kZoneMargin * uncertain + gap));
  }
}

}  // namespace

BitThresholds::BitThresholds() {
  first_weight.fill(1);
  second_weight.fill(1);
}

float contrast(const BitThresholds& thresholds, const BitValues& first, const BitValues& second) {
  float sum = 0;
  for (std::size_t b = 0; b < kSignatureBits; ++b) sum += std::abs(thresholds.above(b, first[b], second[b]));
  return sum / kSignatureBits;
}

ReadBits read_bits(const BitThresholds& thresholds, const BitValues& first, const BitValues& second, float stretch) {
  const auto unit = std::max(contrast(thresholds, first, second), thresholds.usual_contrast);
  ReadBits bits;
  for (std::size_t w = 0; w < kSignatureWords; ++w) {
    std::uint64_t set = 0, decided = 0;
    for (std::size_t i = 0; i < 64; ++i) {
      const auto b = w * 64 + i;
      const auto above = thresholds.above(b, first[b], second[b]) - (stretch - 1) * thresholds.threshold[b];
      set |= std::uint64_t{above > 0} << i;
      decided |= std::uint64_t{std::abs(above) > thresholds.zone[b] * unit} << i;
    }
    bits.set.words[w] = set;
    bits.decided.words[w] = decided;
    bits.decided_count += std::popcount(decided);
  }
  return bits;
}

BitThresholds fit_thresholds(std::span<const MatchedRow> rows, bool weighed, const BitThresholds& start,
                             const ParallelFor& parallel) {
  BitThresholds fitted = start;
  BitValues gaps{};
  std::vector<int> wrong;
  std::vector<std::uint32_t> used(rows.size());
  std::iota(used.begin(), used.end(), 0u);
  constexpr int kRounds = 2;  // the second without the rows that did not fit
  for (int round = 0; round < kRounds; ++round) {
    fit_bits(rows, used, weighed, parallel, fitted, gaps);
    wrong = wrong_bits(fitted, rows, parallel);
    if (!weighed) {
      auto wrong_at_zero = wrong_bits(BitThresholds(), rows, parallel);
      if (zero_is_as_good(used, wrong, wrong_at_zero)) {
        fitted.threshold.fill(0);
        gaps.fill(0);
        wrong = std::move(wrong_at_zero);
      }
    }
    const auto before = std::exchange(used, well_fitting(wrong));
    if (used.size() == before.size()) break;  // the same rows again
  }
  fit_zones(rows, used, wrong, gaps, fitted);
  return fitted;
}

}  // namespace saetap
