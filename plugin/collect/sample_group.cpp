#include "plugin/collect/sample_group.h"

#include <algorithm>

namespace saetap {

std::uint64_t sample_group(SampleLimit::Alike alike, const TokenPosition& at, std::span<const std::int32_t> tokens) {
  const bool known = has_tokens(at.sequence) && (alike != SampleLimit::Alike::same_text || at.position < tokens.size());
  if (!known) return place_hash(at);
  if (alike == SampleLimit::Alike::same_sequence) return at.sequence;
  const std::size_t before = std::min(at.position, kSameTextAround);
  const std::size_t after = std::min<std::size_t>(kSameTextAround, tokens.size() - at.position - 1);
  // Which of the tokens activates counts, too: near the start of a text there are fewer before it.
  const auto around = sequence_id(tokens.subspan(at.position - before, before + 1 + after));
  return around ^ before * 0x9E3779B97F4A7C15ull;
}

}  // namespace saetap
