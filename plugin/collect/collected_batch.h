// One collected call of a site on its way to the callbacks, with everything that it takes to handle it later.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "plugin/collect/callback.h"

namespace saetap {

// The tokens of those sequences of a batch that a candidate lies in, copied: what a language model said is forgotten in
// its own time. Thread-safe for readers.
class BatchTokens : public TokenSource {
 public:
  enum class OfRows : std::uint8_t { with_candidates, all };
  void clear();
  void keep(SequenceId sequence, std::span<const std::int32_t> tokens);
  [[nodiscard]] std::span<const std::int32_t> tokens(SequenceId sequence) const override;
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Piece {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  std::vector<std::int32_t> all_;
  std::unordered_map<SequenceId, Piece> pieces_;
};

struct CollectedBatch {
  const Site* site = nullptr;
  std::uint64_t step = 0;
  Phase phase = Phase::train;
  std::int64_t rows = 0;
  std::int64_t eligible = 0;
  std::vector<TokenPosition> positions;
  std::vector<std::int32_t> row_tokens;
  std::vector<FeatureSums> sums;
  std::vector<RangeScan> found;
  std::vector<CandidateContexts> contexts;
  BatchTokens tokens;

  // Copies the tokens of the sequences that these rows lie in.
  void keep_tokens(const TokenSource& source, BatchTokens::OfRows rows = BatchTokens::OfRows::with_candidates);
  [[nodiscard]] Batch view() const;
  // Memory of all of it.
  [[nodiscard]] std::size_t bytes() const;
};

// Batches that were handled are used again: their memory is large, and new each time it would cost page faults.
// Thread-safe.
class BatchPool {
 public:
  [[nodiscard]] std::unique_ptr<CollectedBatch> take();
  void give_back(std::unique_ptr<CollectedBatch> batch);

 private:
  // The first batches of a run are much larger than the later ones.
  static constexpr std::size_t kMostKept = 4;
  static constexpr std::size_t kLargestKept = std::size_t{16} << 20;

  std::mutex mutex_;
  std::vector<std::unique_ptr<CollectedBatch>> kept_;
};

}  // namespace saetap
