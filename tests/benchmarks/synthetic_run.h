// Batches as a long training run gives them to the collector, without the run: only what a scan would find is made.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "plugin/collect/callback.h"

namespace saetap::benchmarks {

struct RunShape {
  std::int64_t features = 16384;
  std::int64_t active = 64;  // of a row's features; their values are exponential, with mean 1
  std::int64_t rows = 4096;  // of a batch
  std::int64_t sequence_tokens = 128;
  std::int64_t rows_of_sequence = 128;   // how many of a sequence's tokens are seen; no sequence comes twice
  double active_around = 0;              // of a sample's 40 neighbours, on average; 0: they are not known
  bool histogram_in_every_batch = true;  // or the whole run's in the first one
};

// Any sequence's tokens: a piece of one long text whose tokens are as unequally frequent as words are.
class SyntheticText : public TokenSource {
 public:
  explicit SyntheticText(std::int64_t sequence_tokens);
  [[nodiscard]] std::span<const std::int32_t> tokens(SequenceId sequence) const override;

 private:
  std::size_t sequence_tokens_;
  std::vector<std::int32_t> text_;
};

// Every feature is as likely to be active as any other. A batch's view is valid until the next one is made.
class SyntheticRun {
 public:
  explicit SyntheticRun(const RunShape& shape);

  // What a scan of new tokens with these bars would find. Candidates come feature by feature.
  [[nodiscard]] Batch next(const CandidateBars& bars, std::uint64_t step);
  // As next(), with nothing but candidates, in the order in which a scan finds them.
  [[nodiscard]] Batch next_candidates(const CandidateBars& bars, std::uint64_t step);
  // A batch made of these, with nothing else in it.
  [[nodiscard]] Batch of(std::span<const RangeScan> found, std::span<const TokenPosition> positions,
                         std::uint64_t step) const;
  // Gives all memory of the latest batch back.
  void forget();

  [[nodiscard]] const Site& site() const { return site_; }
  [[nodiscard]] const RunShape& shape() const { return shape_; }
  // Of the latest batch.
  [[nodiscard]] std::vector<RangeScan>& found() { return found_; }
  [[nodiscard]] const std::vector<TokenPosition>& positions() const { return positions_; }

 private:
  using HashedRow = std::pair<std::uint32_t, std::uint32_t>;  // upper 32 bits of the place's hash, row

  void make_positions();
  void make_sums_and_histogram();
  void make_whole_histogram();
  void make_candidates(const CandidateBars& bars);
  // A value that is not zero.
  float exponential() { return static_cast<float>(-std::log1p(-uniform())); }
  void add_candidates(std::uint32_t feature, std::uint32_t count, std::span<const HashedRow> rows, float lowest);
  void add_context();
  double uniform() { return static_cast<double>(random_() >> 11) * 0x1p-53; }
  std::uint32_t poisson(double mean);

  RunShape shape_;
  Site site_;
  SyntheticText text_;
  std::mt19937_64 random_{1};
  std::uint64_t rows_so_far_ = 0;
  std::vector<FeatureSums> sums_;  // the same in every batch
  std::vector<HistogramCount> histogram_;
  std::vector<TokenPosition> positions_;
  std::vector<std::int32_t> row_tokens_;
  std::vector<HashedRow> by_hash_;
  std::vector<RangeScan> found_;
  std::vector<CandidateContexts> contexts_;
};

}  // namespace saetap::benchmarks
