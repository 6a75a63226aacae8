// Samples that are much alike, of which a feature keeps only so many if that is asked for.
#pragma once

#include <cstdint>
#include <span>

#include "plugin/trace/token_position.h"

namespace saetap {

// Two kinds of likeness, one at a time: both together could not be kept exactly, because what the one takes out makes
// room under the other for samples that are gone by then.
struct SampleLimit {
  enum class Alike : std::uint8_t { no, same_sequence, same_text } alike = Alike::no;
  std::uint32_t most = 0;  // samples of a feature that are alike; at least 1 unless `alike` is no
};

// Tokens to each side that have to be equal for the text around two samples to be the same.
inline constexpr std::uint32_t kSameTextAround = 8;

// A number that samples which are alike share, and others do not. `tokens`: the whole stripped sequence. A place whose
// tokens are not known is like no other.
[[nodiscard]] std::uint64_t sample_group(SampleLimit::Alike alike, const TokenPosition& at,
                                         std::span<const std::int32_t> tokens);

}  // namespace saetap
