#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "plugin/trace/token_position.h"

using namespace saetap;

// Expected values: a second implementation in Python (struct.pack('<i') of the tokens, eight bytes at a time).
TEST_CASE("a sequence has the same id on every machine") {
  CHECK(sequence_id({}) == 0x9CA066F1A4AB2EEAull);
  CHECK(sequence_id(std::vector<std::int32_t>{0}) == 0xDA1B45D1407FBC1Dull);
  CHECK(sequence_id(std::vector<std::int32_t>{0, 0}) == 0x8DB3B27D0233D81Dull);
  CHECK(sequence_id(std::vector<std::int32_t>{101, 2023, 102}) == 0x8E61E6633AC047F9ull);
  CHECK(sequence_id(std::vector<std::int32_t>{-1}) == 0x8DFB573D8CC4892Eull);
  CHECK(sequence_id(std::vector<std::int32_t>{1, 2, 3, 4}) == 0xD0CB11B2A1ED09D2ull);
}

TEST_CASE("neighbouring sequences have different ids, and every id says that its tokens are known") {
  std::set<SequenceId> ids;
  std::size_t made = 0;
  for (std::int32_t a = 0; a < 40; ++a) {
    for (std::int32_t b = 0; b < 40; ++b) {
      for (std::int32_t c = 0; c < 40; ++c, ++made) ids.insert(sequence_id(std::vector<std::int32_t>{a, b, c}));
    }
  }
  for (std::size_t zeros = 4; zeros <= 300; ++zeros, ++made) ids.insert(sequence_id(std::vector<std::int32_t>(zeros)));
  CHECK(ids.size() == made);
  CHECK(has_tokens(*ids.begin()));
}
