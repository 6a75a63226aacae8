#include "tests/benchmarks/synthetic_run.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "plugin/scan/activation_histogram.h"

namespace saetap::benchmarks {
namespace {

constexpr std::size_t kTextTokens = std::size_t{1} << 22;
constexpr double kVocabulary = 50257;
constexpr std::int64_t kTileFeatures = 1024;  // of batch_scan, which finds tile by tile, in each of them row by row
constexpr int kNeighbours = 40;

// Consecutive numbers to ids that look like hashes.
SequenceId id_of(std::uint64_t sequence) {
  return place_hash({sequence, 0}) | kHasTokens;
}

// The i-th of `count` different places below `size`, each somewhere in its own share.
std::size_t spread(std::size_t i, std::size_t count, std::size_t size, double uniform) {
  const std::size_t begin = i * size / count, end = (i + 1) * size / count;
  return begin + static_cast<std::size_t>(uniform * static_cast<double>(end - begin));
}

}  // namespace

SyntheticText::SyntheticText(std::int64_t sequence_tokens)
    : sequence_tokens_(static_cast<std::size_t>(sequence_tokens)) {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> rank(0, std::log(kVocabulary));
  text_.reserve(kTextTokens);
  while (text_.size() < kTextTokens) text_.push_back(static_cast<std::int32_t>(std::exp(rank(random))) - 1);
}

std::span<const std::int32_t> SyntheticText::tokens(SequenceId sequence) const {
  return std::span(text_).subspan(sequence % (kTextTokens - sequence_tokens_), sequence_tokens_);
}

SyntheticRun::SyntheticRun(const RunShape& shape) : shape_(shape), text_(shape.sequence_tokens) {
  site_.name = "benchmark";
  site_.module_type = "SyntheticRun";
  site_.method = "forward";
  site_.features = shape.features;
  site_.d_in = site_.d_out = 768;
  make_sums_and_histogram();
}

Batch SyntheticRun::next(const CandidateBars& bars, std::uint64_t step) {
  const bool first = rows_so_far_ == 0;
  make_positions();
  make_candidates(bars);
  if (shape_.histogram_in_every_batch) {
    found_[0].histogram = histogram_;
  } else if (first) {
    make_whole_histogram();
  }
  Batch batch = of(found_, positions_, step);
  batch.sums = sums_;
  if (shape_.active_around > 0) batch.contexts = contexts_;
  return batch;
}

Batch SyntheticRun::next_candidates(const CandidateBars& bars, std::uint64_t step) {
  make_positions();
  make_candidates(bars);
  const auto place = [](const Candidate& one) { return std::tuple(one.feature / kTileFeatures, one.row, one.feature); };
  std::sort(found_[0].candidates.begin(), found_[0].candidates.end(),
            [&](const Candidate& a, const Candidate& b) { return place(a) < place(b); });
  return of(found_, positions_, step);
}

Batch SyntheticRun::of(std::span<const RangeScan> found, std::span<const TokenPosition> positions,
                       std::uint64_t step) const {
  const auto rows = static_cast<std::int64_t>(positions.size());
  return {.site = site_,
          .step = step,
          .phase = Phase::train,
          .rows = rows,
          .eligible = rows,
          .positions = positions,
          .sums = {},
          .found = found,
          .tokens = text_,
          .contexts = {},
          .row_tokens = row_tokens_};
}

void SyntheticRun::forget() {
  positions_ = std::vector<TokenPosition>();
  row_tokens_ = std::vector<std::int32_t>();
  by_hash_ = std::vector<HashedRow>();
  found_ = std::vector<RangeScan>();
  contexts_ = std::vector<CandidateContexts>();
}

void SyntheticRun::make_positions() {
  const auto rows = static_cast<std::uint64_t>(shape_.rows);
  const auto of_sequence = static_cast<std::size_t>(shape_.rows_of_sequence);
  positions_.resize(rows);
  row_tokens_.resize(rows);
  by_hash_.resize(rows);
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::uint64_t number = rows_so_far_ + row;
    const std::size_t position =
        spread(number % of_sequence, of_sequence, static_cast<std::size_t>(shape_.sequence_tokens), uniform());
    positions_[row] = {id_of(number / of_sequence), static_cast<std::uint32_t>(position)};
    row_tokens_[row] = text_.tokens(positions_[row].sequence)[position];
    by_hash_[row] = {static_cast<std::uint32_t>(place_hash(positions_[row]) >> 32), static_cast<std::uint32_t>(row)};
  }
  rows_so_far_ += rows;
  std::sort(by_hash_.begin(), by_hash_.end());
}

// What is expected of a batch, for every feature; the bins are drawn.
void SyntheticRun::make_sums_and_histogram() {
  const auto active = static_cast<std::uint32_t>(shape_.rows * shape_.active / shape_.features);
  sums_.assign(static_cast<std::size_t>(shape_.features),
               {.sum = static_cast<double>(active), .sum_of_squares = 2.0 * active, .max = 4, .active = active});
  if (!shape_.histogram_in_every_batch) return;
  std::vector<std::uint16_t> bins(active);
  for (std::uint32_t feature = 0; feature < shape_.features; ++feature) {
    for (auto& bin : bins) bin = static_cast<std::uint16_t>(histogram_bin(exponential()));
    std::sort(bins.begin(), bins.end());
    for (std::size_t i = 0; i < bins.size(); ++i) {
      const bool again = i != 0 && bins[i] == bins[i - 1];
      if (again) ++histogram_.back().count;
      if (!again) histogram_.push_back({feature, bins[i], 1});
    }
  }
}

// From the smallest to the largest of a hundred thousand values: what a histogram's memory depends on.
void SyntheticRun::make_whole_histogram() {
  constexpr float kValues = 1e5f;
  for (std::uint32_t feature = 0; feature < shape_.features; ++feature) {
    for (std::uint32_t bin = histogram_bin(1 / kValues); bin <= histogram_bin(std::log(kValues)); ++bin) {
      found_[0].histogram.push_back({feature, static_cast<std::uint16_t>(bin), 100});
    }
  }
}

void SyntheticRun::make_candidates(const CandidateBars& bars) {
  found_.resize(1);
  found_[0].candidates.clear();
  found_[0].histogram.clear();
  contexts_.resize(1);
  contexts_[0].contexts.clear();
  contexts_[0].activations.clear();
  const double rate = static_cast<double>(shape_.active) / static_cast<double>(shape_.features);
  const std::span<const HashedRow> rows = by_hash_;
  for (std::uint32_t feature = 0; feature < shape_.features; ++feature) {
    // Rows for the random sample are those with small hashes; a row is not a candidate twice.
    const double small = bars.hash.empty() ? 0 : bars.hash[feature] * 0x1p-32 * static_cast<double>(rows.size());
    const float bar = bars.activation.empty() ? INFINITY : bars.activation[feature];
    const std::uint32_t hashed = poisson(small * rate);
    const std::uint32_t strong = poisson((static_cast<double>(rows.size()) - small) * rate * std::exp(-bar));
    if (hashed + strong == 0) continue;
    const auto end =
        std::upper_bound(rows.begin(), rows.end(), HashedRow{bars.hash.empty() ? 0 : bars.hash[feature], UINT32_MAX});
    const auto first = bars.hash.empty() ? 0 : static_cast<std::size_t>(end - rows.begin());
    add_candidates(feature, hashed, rows.first(first), 0);
    add_candidates(feature, strong, rows.subspan(first), bar);
  }
}

void SyntheticRun::add_candidates(std::uint32_t feature, std::uint32_t count, std::span<const HashedRow> rows,
                                  float lowest) {
  count = std::min(count, static_cast<std::uint32_t>(rows.size()));
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t row = rows[spread(i, count, rows.size(), uniform())].second;
    // A value above a bar exceeds it as any value exceeds 0.
    found_[0].candidates.push_back({row, feature, lowest + exponential()});
    if (shape_.active_around > 0) add_context();
  }
}

// As many neighbours as a geometric distribution gives: for many samples none, for some of them many.
void SyntheticRun::add_context() {
  CandidateContexts& around = contexts_[0];
  const double more = shape_.active_around / (1 + shape_.active_around);
  std::uint32_t count = 0;
  while (count < kNeighbours && uniform() < more) ++count;
  around.contexts.push_back({static_cast<std::uint32_t>(around.activations.size()), count});
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto place = static_cast<std::int32_t>(spread(i, count, kNeighbours, uniform()));
    const std::int32_t offset = place < kNeighbours / 2 ? place - kNeighbours / 2 : place - kNeighbours / 2 + 1;
    around.activations.push_back({offset, exponential()});
  }
}

std::uint32_t SyntheticRun::poisson(double mean) {
  if (mean > 50) return std::poisson_distribution<std::uint32_t>(mean)(random_);
  const double left = uniform();
  if (left >= mean) return 0;  // most often; saves the exponential
  double share = std::exp(-mean), below = share;
  std::uint32_t count = 0;
  while (1 - left > below && count < 200) {
    share *= mean / ++count;
    below += share;
  }
  return count;
}

}  // namespace saetap::benchmarks
