// The tokens behind the kept samples, stored once in segments that samples share.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "plugin/trace/token_position.h"

namespace saetap {

inline constexpr std::uint32_t kSegmentTokens = 64;

struct SegmentKey {
  SequenceId sequence = 0;
  std::uint32_t segment = 0;  // tokens [64·segment, 64·segment + 64) of the sequence

  friend bool operator==(const SegmentKey&, const SegmentKey&) = default;
};

struct SegmentKeyHash {
  std::size_t operator()(const SegmentKey& key) const noexcept {
    return static_cast<std::size_t>(key.sequence ^ (key.segment * 0x9E3779B97F4A7C15ull));
  }
};

// The segments that [position − before, position + after] touches in a sequence without end.
struct SegmentRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};
[[nodiscard]] SegmentRange context_segments(std::uint32_t position, std::uint32_t before, std::uint32_t after);

// Counts who needs a segment and drops it when nobody does. A sample pins the segments that [position − context,
// position + context] touches. Pins count whether or not the tokens are known at that moment, so taking one back never
// needs them, and tokens that come later serve every sample of the segment. Not thread-safe.
class SequencePool {
 public:
  explicit SequencePool(std::uint32_t context) : context_(context) {}

  // Pins the context of a place for `samples` samples. `tokens`: the whole stripped sequence; empty if not known (any
  // more).
  void pin(const TokenPosition& at, std::span<const std::int32_t> tokens, std::uint32_t samples = 1);
  // Takes one pin of the same place back.
  void unpin(const TokenPosition& at);

  struct Segment {
    std::vector<std::int32_t>
        tokens;                // kSegmentTokens, fewer at the end of the sequence; empty if not known or past it
    std::uint32_t length = 0;  // of the whole sequence, in tokens; 0 if not known
    std::uint32_t pins = 0;
  };
  using Segments = std::unordered_map<SegmentKey, Segment, SegmentKeyHash>;
  [[nodiscard]] const Segments& segments() const { return segments_; }

 private:
  std::uint32_t context_;
  Segments segments_;
};

}  // namespace saetap
