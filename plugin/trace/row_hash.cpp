#include "plugin/trace/row_hash.h"

#include <cstring>

namespace saetap {

namespace {

// Multiply two words to 128 bits and fold them: every input bit reaches every output bit. The idea is that of wyhash.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word_at(const unsigned char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

constexpr std::uint64_t kOdd[4] = {0xA0761D6478BD642Full, 0xE7037ED1A0B428DBull, 0x8EBC6AF09C88C6E3ull,
                                   0x589965CC75374CC3ull};

}  // namespace

std::uint64_t row_hash(const void* row, std::size_t bytes) {
  const auto* at = static_cast<const unsigned char*>(row);
  std::uint64_t lanes[4] = {kOdd[0] ^ bytes, kOdd[1], kOdd[2], kOdd[3]};
  std::size_t left = bytes;
  // Four independent lanes keep the multiplier busy: 64 bytes a round.
  for (; left >= 64; left -= 64, at += 64) {
    for (int lane = 0; lane < 4; ++lane) {
      lanes[lane] = fold(word_at(at + 16 * lane) ^ kOdd[lane], word_at(at + 16 * lane + 8) ^ lanes[lane]);
    }
  }
  unsigned char tail[64] = {};
  std::memcpy(tail, at, left);
  for (int lane = 0; lane < 4; ++lane) {
    lanes[lane] = fold(word_at(tail + 16 * lane) ^ kOdd[lane], word_at(tail + 16 * lane + 8) ^ lanes[lane]);
  }
  const std::uint64_t hash =
      fold(fold(lanes[0] ^ kOdd[1], lanes[1] ^ kOdd[2]), fold(lanes[2] ^ kOdd[3], lanes[3] ^ kOdd[0]));
  return hash != 0 ? hash : 1;
}

}  // namespace saetap
