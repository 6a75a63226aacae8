#include "plugin/collect/sequence_pool.h"

#include <algorithm>
#include <limits>

namespace saetap {

SegmentRange context_segments(std::uint32_t position, std::uint32_t before, std::uint32_t after) {
  constexpr std::uint32_t kLast = std::numeric_limits<std::uint32_t>::max();
  const std::uint32_t begin = position > before ? position - before : 0;
  const std::uint32_t end = position > kLast - after ? kLast : position + after;
  return {begin / kSegmentTokens, end / kSegmentTokens};
}

void SequencePool::pin(const TokenPosition& at, std::span<const std::int32_t> tokens, std::uint32_t samples) {
  const auto [first, last] = context_segments(at.position, context_, context_);
  for (std::uint32_t number = first; number <= last; ++number) {
    Segment& segment = segments_[{at.sequence, number}];
    segment.pins += samples;
    const std::size_t begin = std::size_t{number} * kSegmentTokens;
    if (!segment.tokens.empty() || begin >= tokens.size()) continue;
    const auto piece = tokens.subspan(begin, std::min<std::size_t>(kSegmentTokens, tokens.size() - begin));
    segment.tokens.assign(piece.begin(), piece.end());
    segment.length = static_cast<std::uint32_t>(tokens.size());
  }
}

void SequencePool::unpin(const TokenPosition& at) {
  const auto [first, last] = context_segments(at.position, context_, context_);
  for (std::uint32_t number = first; number <= last; ++number) {
    const auto found = segments_.find({at.sequence, number});
    if (found != segments_.end() && --found->second.pins == 0) segments_.erase(found);
  }
}

}  // namespace saetap
