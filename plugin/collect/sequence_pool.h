// The tokens behind the kept samples, stored once in segments that samples share.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "plugin/collect/slab.h"
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
// needs them, and tokens that come later serve every sample of the segment. Ids below 65,536 take two bytes each, and
// most vocabularies have no others. Not thread-safe.
class SequencePool {
 public:
  explicit SequencePool(std::uint32_t context) : context_(context) {}

  // Pins the context of a place for `samples` samples. `tokens`: the whole stripped sequence; empty if not known (any
  // more).
  void pin(const TokenPosition& at, std::span<const std::int32_t> tokens, std::uint32_t samples = 1);
  // What the store has of a pinned segment.
  void add_stored(const SegmentKey& key, std::uint32_t length, std::span<const std::int32_t> tokens);
  // Takes one pin of the same place back.
  void unpin(const TokenPosition& at);

  struct Segment {
    std::uint32_t length = 0;  // of the whole sequence, in tokens; 0 if not known
    std::uint32_t pins = 0;
    std::uint32_t place = 0;  // of the tokens, among those of their width
    std::uint8_t count = 0;   // of tokens: kSegmentTokens, fewer at the end of the sequence; 0 if not known
    bool wide = false;        // four bytes a token
    bool saved = false;       // see mark_saved()
  };
  using Segments = std::unordered_map<SegmentKey, Segment, SegmentKeyHash>;
  [[nodiscard]] const Segments& segments() const { return segments_; }
  // The tokens of a segment of this pool, written to `room`; empty if not known or past the end of the sequence.
  using Room = std::array<std::int32_t, kSegmentTokens>;
  [[nodiscard]] std::span<const std::int32_t> tokens(const Segment& segment, Room& room) const;

  // Adds the pins of one sample at this place.
  using PinCounts = std::unordered_map<SegmentKey, std::uint32_t, SegmentKeyHash>;
  void add_pins(const TokenPosition& at, PinCounts& counts) const;
  // Whether anything pins a segment but what was counted.
  [[nodiscard]] bool pinned_beside(const PinCounts& counted, const SegmentKey& key) const;

  // All tokens known now are in the store.
  void mark_saved();
  // Segments that are in the store and have lost their last pin since mark_saved(); some may be pinned again.
  [[nodiscard]] const std::vector<SegmentKey>& dropped() const { return dropped_; }

  [[nodiscard]] std::size_t bytes() const;

 private:
  void keep_tokens(Segment& segment, std::span<const std::int32_t> tokens);
  void drop_tokens(const Segment& segment);

  std::uint32_t context_;
  Segments segments_;
  Slab<std::uint16_t> narrow_{kSegmentTokens};
  Slab<std::int32_t> wide_{kSegmentTokens};
  std::vector<SegmentKey> dropped_;
};

}  // namespace saetap
