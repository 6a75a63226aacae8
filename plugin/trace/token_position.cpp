#include "plugin/trace/token_position.h"

#include <bit>

namespace saetap {
namespace {

// Odd constants with evenly spread bits, from the golden ratio and from MurmurHash3's 64-bit finaliser (public domain).
constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ull;
constexpr std::uint64_t kFinal1 = 0xFF51AFD7ED558CCDull;
constexpr std::uint64_t kFinal2 = 0xC4CEB9FE1A85EC53ull;

// A bijection in which every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= kFinal1;
  x ^= x >> 33;
  x *= kFinal2;
  x ^= x >> 33;
  return x;
}

}  // namespace

std::uint64_t place_hash(const TokenPosition& at) {
  return mix(mix(at.sequence) + (std::uint64_t{at.position} + 1) * kGolden);
}

// Two tokens make one 64-bit word by arithmetic, not by reading memory, so the value does not depend on the machine's
// byte order. The length goes in first: without it an odd last token and the same token followed by 0 would be equal.
SequenceId sequence_id(std::span<const std::int32_t> tokens) {
  std::uint64_t hash = mix(tokens.size() + kGolden);
  for (std::size_t i = 0; i < tokens.size(); i += 2) {
    std::uint64_t word = static_cast<std::uint32_t>(tokens[i]);
    if (i + 1 < tokens.size()) word |= std::uint64_t{static_cast<std::uint32_t>(tokens[i + 1])} << 32;
    hash = std::rotl(hash, 27) * 5 + mix(word + kGolden);
    hash = mix(hash);
  }
  return hash | kHasTokens;
}

}  // namespace saetap
