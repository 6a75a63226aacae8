#include "plugin/trace/row_matcher.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace saetap {
namespace {

// Nearest of all rows of a stream, and how far the next one is.
struct Nearest {
  std::uint32_t slot = 0;
  int bits = kSignatureBits;
  int next_bits = kSignatureBits;
};

constexpr int kFarthest = 64;            // bits that may differ from the nearest row
constexpr int kSmallestLead = 12;        // bits by which the next one is farther
constexpr std::size_t kFewestSure = 64;  // rows to learn from
// The share of a call's rows that they must be. In mixtures of rows a tenth may be mixed with the same row, [CLS] for
// one: these alone look as if they had been centred.
constexpr double kSmallestSureShare = 0.2;
constexpr double kMostNoise = 0.12;  // rounding to bfloat16 makes 0.02, a tenth of another row 0.3
constexpr int kFewestDecided = 160;
constexpr int kMostUndecidedInKey = 8;
constexpr int kMostDisagreeing = 1;
constexpr std::array<float, 8> kStretches{0.85f, 1.18f, 0.72f, 1.4f, 0.5f, 2.0f, 0.25f, 4.0f};
constexpr std::array<std::size_t, 3> kFitAt{1024, 2048, 4096};  // matched rows

bool sure(const Nearest& nearest) {
  return nearest.bits <= kFarthest && nearest.next_bits - nearest.bits >= std::max(kSmallestLead, nearest.bits / 2);
}

// Compares all rows with all signatures; the signatures are walked through once for each block of rows.
// (A choice made at load time, before ThreadSanitizer is there, which crashes.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__)
[[gnu::target_clones("popcnt", "default")]]
#endif
void compare(const RowSignature* rows, Nearest* nearest, std::size_t count, std::uint32_t slot,
             const RowSignature& signature) {
  for (std::size_t row = 0; row < count; ++row) {
    int bits =
        std::popcount(rows[row].words[0] ^ signature.words[0]) + std::popcount(rows[row].words[1] ^ signature.words[1]);
    auto& best = nearest[row];
    if (bits >= best.next_bits) continue;
    bits +=
        std::popcount(rows[row].words[2] ^ signature.words[2]) + std::popcount(rows[row].words[3] ^ signature.words[3]);
    if (bits < best.bits) {
      best = {slot, bits, best.bits};
    } else if (bits < best.next_bits) {
      best.next_bits = bits;
    }
  }
}

std::vector<Nearest> nearest_rows(const SignatureIndex& index, const std::vector<RowSignature>& rows,
                                  const ParallelFor& parallel) {
  std::vector<Nearest> nearest(rows.size());
  parallel(rows.size(), [&](std::size_t first, std::size_t last) {
    index.visit_all([&](std::uint32_t slot, const RowSignature& signature) {
      compare(rows.data() + first, nearest.data() + first, last - first, slot, signature);
    });
  });
  return nearest;
}

// The share of the stream's rows in which each bit is set.
BitValues shares_of_ones(const SignatureIndex& index) {
  BitValues ones{};
  constexpr std::size_t kLookedAt = 8192;
  const auto stride = index.size() / kLookedAt + 1;
  std::size_t met = 0, looked_at = 0;
  index.visit_all([&](std::uint32_t, const RowSignature& signature) {
    if (met++ % stride != 0) return;
    ++looked_at;
    for (int b = 0; b < kSignatureBits; ++b) ones[static_cast<std::size_t>(b)] += signature.bit(b) ? 1.0f : 0.0f;
  });
  for (auto& share : ones) share /= static_cast<float>(std::max<std::size_t>(looked_at, 1));
  return ones;
}

struct PairValues {
  BitValues first;
  BitValues second;
};

PairValues values_of(const DimensionPairs& pairs, const float* row) {
  PairValues values;
  for (std::size_t b = 0; b < kSignatureBits; ++b) {
    values.first[b] = row[pairs.pairs()[b].first];
    values.second[b] = row[pairs.pairs()[b].second];
  }
  return values;
}

float spread(const std::vector<PairValues>& rows, BitValues PairValues::*side, std::size_t b) {
  double sum = 0, squares = 0;
  for (const auto& row : rows) {
    const double value = (row.*side)[b];
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(rows.size());
  return static_cast<float>(std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count))));
}

// Weights that give each dimension the spread it has in the stream, and thresholds that set each bit as often as there.
BitThresholds first_guess(const DimensionPairs& pairs, const std::vector<PairValues>& rows, const BitValues& ones,
                          bool weighed) {
  BitThresholds guess;
  std::vector<float> values(rows.size());
  for (std::size_t b = 0; b < kSignatureBits; ++b) {
    if (weighed) {
      const auto first = spread(rows, &PairValues::first, b);
      const auto second = spread(rows, &PairValues::second, b);
      const auto& pair = pairs.pairs()[b];
      if (first > 0 && second > 0) {
        guess.first_weight[b] = pair.first_spread / first;
        guess.second_weight[b] = pair.second_spread / second;
      }
    }
    for (std::size_t row = 0; row < rows.size(); ++row)
      values[row] = guess.above(b, rows[row].first[b], rows[row].second[b]);
    const auto unset = static_cast<std::size_t>((1 - ones[b]) * static_cast<float>(values.size()));
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(std::min(unset, values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    guess.threshold[b] = *at;
  }
  return guess;
}

std::vector<RowSignature> signatures_of(const BitThresholds& thresholds, const std::vector<PairValues>& rows) {
  std::vector<RowSignature> signatures;
  signatures.reserve(rows.size());
  for (const auto& row : rows) signatures.push_back(read_bits(thresholds, row.first, row.second).set);
  return signatures;
}

int median_bits(std::vector<Nearest> nearest) {
  const auto middle = nearest.begin() + static_cast<std::ptrdiff_t>(nearest.size() / 2);
  std::nth_element(nearest.begin(), middle, nearest.end(),
                   [](const auto& a, const auto& b) { return a.bits < b.bits; });
  return middle->bits;
}

}  // namespace

std::optional<RowMatcher> RowMatcher::learn(const DimensionPairs& pairs, const SignatureIndex& index, const float* rows,
                                            std::size_t count, const ParallelFor& parallel) {
  if (count < kFewestRows || index.size() < kFewestRows) return std::nullopt;
  // Of a batch in order, rows from all over it.
  const auto stride = (count + kMostRows - 1) / kMostRows;
  std::vector<PairValues> values;
  for (std::size_t row = 0; row < count; row += stride) {
    values.push_back(values_of(pairs, rows + row * pairs.width()));
    if (!std::isfinite(contrast(BitThresholds(), values.back().first, values.back().second))) values.pop_back();
  }
  if (values.size() < kFewestRows) return std::nullopt;
  const auto ones = shares_of_ones(index);

  constexpr int kGood = 10;  // bits: no reason to look for a scale of each dimension
  BitThresholds best_guess;
  std::vector<Nearest> best;
  bool weighed = false;
  for (const bool weigh : {false, true}) {
    const auto guess = first_guess(pairs, values, ones, weigh);
    auto nearest = nearest_rows(index, signatures_of(guess, values), parallel);
    if (best.empty() || median_bits(nearest) + 2 < median_bits(best)) {
      best = std::move(nearest);
      best_guess = guess;
      weighed = weigh;
    }
    if (median_bits(best) <= kGood) break;
  }

  const auto fit = [&](bool weigh) -> std::optional<RowMatcher> {
    RowMatcher matcher(pairs, weigh);
    for (std::size_t row = 0; row < values.size(); ++row) {
      if (sure(best[row]))
        matcher.matched_.push_back({values[row].first, values[row].second, index.at(best[row].slot)});
    }
    const auto fewest = static_cast<std::size_t>(kSmallestSureShare * static_cast<double>(values.size()));
    if (matcher.matched_.size() < std::max(kFewestSure, fewest)) return std::nullopt;
    matcher.learnt_from_ = matcher.matched_.size();
    matcher.thresholds_ = weigh ? best_guess : BitThresholds();
    return matcher.fit(parallel) ? std::optional(std::move(matcher)) : std::nullopt;
  };
  if (!weighed) {
    if (auto matcher = fit(false)) return matcher;
    best_guess = first_guess(pairs, values, ones, true);
  }
  return fit(true);
}

bool RowMatcher::fit(const ParallelFor& parallel) {
  thresholds_ = fit_thresholds(matched_, weighed_, thresholds_, parallel);
  moved_ = std::any_of(thresholds_.threshold.begin(), thresholds_.threshold.end(), [](float t) { return t != 0; });
  return thresholds_.noise <= kMostNoise;
}

std::vector<std::uint32_t> RowMatcher::match(const SignatureIndex& index, const float* row) const {
  const auto values = values_of(pairs_, row);
  auto slots = compatible(index, read_bits(thresholds_, values.first, values.second));
  if (!slots.empty() || !moved_) return slots;
  // A row that was divided by its own size after centring has its thresholds divided, too.
  for (const float stretch : kStretches) {
    slots = compatible(index, read_bits(thresholds_, values.first, values.second, stretch));
    if (!slots.empty()) break;
  }
  return slots;
}

std::vector<std::uint32_t> RowMatcher::compatible(const SignatureIndex& index, const ReadBits& read) const {
  std::vector<std::uint32_t> slots;
  if (read.decided_count < kFewestDecided) return slots;
  const auto look_at = [&](std::uint32_t slot) {
    const auto& signature = index.at(slot);
    int disagreeing = 0;
    for (std::size_t w = 0; w < kSignatureWords; ++w) {
      disagreeing += std::popcount((signature.words[w] ^ read.set.words[w]) & read.decided.words[w]);
    }
    if (disagreeing <= kMostDisagreeing && std::find(slots.begin(), slots.end(), slot) == slots.end()) {
      slots.push_back(slot);
    }
    return slots.size() < kMostCompatible;
  };
  // Whatever is compatible has, in one table or the other, the row's own key but for undecided bits: all ways to decide
  // them are tried. So nothing compatible is missed, unless too many are undecided.
  for (int table = 0; table < SignatureIndex::kTables; ++table) {
    const auto key = SignatureIndex::key(read.set, table);
    const auto undecided = ~SignatureIndex::key(read.decided, table);
    if (std::popcount(undecided) > kMostUndecidedInKey) continue;
    std::uint32_t flipped = 0;
    do {
      index.visit(table, key ^ flipped, look_at);
      flipped = (flipped - undecided) & undecided;  // the next subset of the undecided bits
    } while (flipped != 0 && slots.size() < kMostCompatible);
  }
  return slots;
}

void RowMatcher::confirm(const float* row, const RowSignature& signature, const ParallelFor& parallel) {
  if (settled_) return;
  const auto values = values_of(pairs_, row);
  matched_.push_back({values.first, values.second, signature});
  if (std::find(kFitAt.begin(), kFitAt.end(), matched_.size()) == kFitAt.end()) return;
  const auto before = thresholds_;
  if (!fit(parallel)) thresholds_ = before;
  settled_ = matched_.size() >= kFitAt.back();
  if (settled_) matched_ = std::vector<MatchedRow>();
}

std::vector<RowSignature> read_roughly(const DimensionPairs& pairs, const SignatureIndex& index, const float* rows,
                                       std::size_t count) {
  std::vector<PairValues> values;
  values.reserve(count);
  for (std::size_t row = 0; row < count; ++row) values.push_back(values_of(pairs, rows + row * pairs.width()));
  return signatures_of(first_guess(pairs, values, shares_of_ones(index), false), values);
}

}  // namespace saetap
