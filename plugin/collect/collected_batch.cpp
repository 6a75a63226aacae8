#include "plugin/collect/collected_batch.h"

#include <utility>

namespace saetap {

void BatchTokens::clear() {
  all_.clear();
  pieces_.clear();
}

void BatchTokens::keep(SequenceId sequence, std::span<const std::int32_t> tokens) {
  if (!pieces_.try_emplace(sequence, Piece{all_.size(), tokens.size()}).second) return;
  all_.insert(all_.end(), tokens.begin(), tokens.end());
}

std::span<const std::int32_t> BatchTokens::tokens(SequenceId sequence) const {
  const auto found = pieces_.find(sequence);
  if (found == pieces_.end()) return {};
  return std::span(all_).subspan(found->second.first, found->second.count);
}

std::size_t BatchTokens::bytes() const {
  constexpr std::size_t kNode = 48;
  return all_.capacity() * sizeof(std::int32_t) + pieces_.size() * kNode;
}

void CollectedBatch::keep_tokens(const TokenSource& source, BatchTokens::OfRows rows) {
  tokens.clear();
  std::vector<std::uint8_t> wanted(positions.size(), rows == BatchTokens::OfRows::all ? 1 : 0);
  for (const auto& range : found) {
    for (const auto& candidate : range.candidates) wanted[candidate.row] = 1;
  }
  SequenceId latest = 0;  // rows of one sequence mostly follow each other
  for (std::size_t row = 0; row < positions.size(); ++row) {
    const auto sequence = positions[row].sequence;
    if (wanted[row] == 0 || !has_tokens(sequence) || sequence == latest) continue;
    tokens.keep(sequence, source.tokens(sequence));
    latest = sequence;
  }
}

Batch CollectedBatch::view() const {
  return {*site, step, phase, rows, eligible, positions, sums, found, tokens, contexts, row_tokens};
}

std::size_t CollectedBatch::bytes() const {
  std::size_t bytes = sizeof *this + positions.capacity() * sizeof(TokenPosition) +
                      row_tokens.capacity() * sizeof(std::int32_t) + sums.capacity() * sizeof(FeatureSums) +
                      tokens.bytes();
  for (const auto& range : found) {
    bytes += range.candidates.capacity() * sizeof(Candidate) + range.histogram.capacity() * sizeof(HistogramCount);
  }
  for (const auto& range : contexts) {
    bytes += range.contexts.capacity() * sizeof(CandidateContexts::Context) +
             range.activations.capacity() * sizeof(ContextActivation);
  }
  return bytes;
}

std::unique_ptr<CollectedBatch> BatchPool::take() {
  const std::lock_guard lock(mutex_);
  if (kept_.empty()) return std::make_unique<CollectedBatch>();
  auto batch = std::move(kept_.back());
  kept_.pop_back();
  return batch;
}

void BatchPool::give_back(std::unique_ptr<CollectedBatch> batch) {
  if (batch->bytes() > kLargestKept) return;
  const std::lock_guard lock(mutex_);
  if (kept_.size() < kMostKept) kept_.push_back(std::move(batch));
}

}  // namespace saetap
