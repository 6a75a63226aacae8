// Which token a row of activations belongs to: the currency of the trace stage and of everything after it.
#pragma once

#include <cstdint>
#include <span>

namespace saetap {

// A hash of a sequence's tokens with ignored ids at both ends removed, so that repeats across epochs and ranks are the
// same sequence. The highest bit tells whether the tokens are known.
using SequenceId = std::uint64_t;

inline constexpr SequenceId kHasTokens = SequenceId{1} << 63;

// In place of a token's id where it is not known.
inline constexpr std::int32_t kNoToken = -1;

[[nodiscard]] inline bool has_tokens(SequenceId sequence) {
  return (sequence & kHasTokens) != 0;
}

// One place in the text trained on. Without known tokens, `sequence` names the run and `position` is the running
// number of the row, so that no two rows share a place.
struct TokenPosition {
  SequenceId sequence = 0;
  std::uint32_t position = 0;

  friend bool operator==(const TokenPosition&, const TokenPosition&) = default;
};

// Identity of a sequence whose ends are already stripped; always has kHasTokens set. Depends on the ids alone.
[[nodiscard]] SequenceId sequence_id(std::span<const std::int32_t> tokens);

// A random number that depends on the place alone: the same in every run and rank. Random samples are the places with
// the smallest ones.
[[nodiscard]] std::uint64_t place_hash(const TokenPosition& at);

// Where the tokens of a sequence can be read while a batch is being handled.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  // The stripped tokens of `sequence`; empty when they are not known (any more). The span is valid until the batch
  // ends.
  [[nodiscard]] virtual std::span<const std::int32_t> tokens(SequenceId sequence) const = 0;
};

}  // namespace saetap
