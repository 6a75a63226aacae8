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
    if (segment.count != 0 || begin >= tokens.size()) continue;
    keep_tokens(segment, tokens.subspan(begin, std::min<std::size_t>(kSegmentTokens, tokens.size() - begin)));
    segment.length = static_cast<std::uint32_t>(tokens.size());
  }
}

void SequencePool::add_stored(const SegmentKey& key, std::uint32_t length, std::span<const std::int32_t> tokens) {
  Segment& segment = segments_.at(key);
  segment.saved = true;
  if (segment.count != 0 || tokens.empty()) return;
  keep_tokens(segment, tokens.first(std::min<std::size_t>(kSegmentTokens, tokens.size())));
  segment.length = length;
}

void SequencePool::unpin(const TokenPosition& at) {
  const auto [first, last] = context_segments(at.position, context_, context_);
  for (std::uint32_t number = first; number <= last; ++number) {
    const auto found = segments_.find({at.sequence, number});
    if (found == segments_.end() || --found->second.pins != 0) continue;
    drop_tokens(found->second);
    if (found->second.saved) dropped_.push_back(found->first);
    segments_.erase(found);
  }
}

void SequencePool::keep_tokens(Segment& segment, std::span<const std::int32_t> tokens) {
  constexpr std::int32_t kNarrowest = std::numeric_limits<std::uint16_t>::max();
  segment.count = static_cast<std::uint8_t>(tokens.size());
  segment.wide = std::any_of(tokens.begin(), tokens.end(), [](std::int32_t id) { return id < 0 || id > kNarrowest; });
  segment.place = segment.wide ? wide_.take() : narrow_.take();
  if (segment.wide) {
    std::copy(tokens.begin(), tokens.end(), wide_.at(segment.place).begin());
  } else {
    std::transform(tokens.begin(), tokens.end(), narrow_.at(segment.place).begin(),
                   [](std::int32_t id) { return static_cast<std::uint16_t>(id); });
  }
}

void SequencePool::drop_tokens(const Segment& segment) {
  if (segment.count == 0) return;
  if (segment.wide) {
    wide_.give_back(segment.place);
  } else {
    narrow_.give_back(segment.place);
  }
}

std::span<const std::int32_t> SequencePool::tokens(const Segment& segment, Room& room) const {
  if (segment.count == 0) return {};
  if (segment.wide) return wide_.at(segment.place).first(segment.count);
  const auto narrow = narrow_.at(segment.place).first(segment.count);
  std::copy(narrow.begin(), narrow.end(), room.begin());
  return {room.data(), segment.count};
}

void SequencePool::add_pins(const TokenPosition& at, PinCounts& counts) const {
  const auto [first, last] = context_segments(at.position, context_, context_);
  for (std::uint32_t number = first; number <= last; ++number) ++counts[{at.sequence, number}];
}

bool SequencePool::pinned_beside(const PinCounts& counted, const SegmentKey& key) const {
  const auto found = segments_.find(key);
  if (found == segments_.end()) return false;
  const auto of_these = counted.find(key);
  return of_these == counted.end() || found->second.pins > of_these->second;
}

void SequencePool::mark_saved() {
  for (auto& [key, segment] : segments_) segment.saved = segment.count != 0;
  dropped_ = std::vector<SegmentKey>();
}

std::size_t SequencePool::bytes() const {
  // A node of the map as the allocator hands it out: the link, key and segment, and its own head.
  constexpr std::size_t kNode = (sizeof(void*) + sizeof(Segments::value_type) + 8 + 15) / 16 * 16;
  return segments_.size() * kNode + segments_.bucket_count() * sizeof(void*) + narrow_.bytes() + wide_.bytes();
}

}  // namespace saetap
