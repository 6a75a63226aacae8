#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "plugin/collect/sequence_pool.h"

using namespace saetap;

namespace {

std::vector<std::int32_t> counting(std::size_t length) {
  std::vector<std::int32_t> tokens(length);
  std::iota(tokens.begin(), tokens.end(), 1000);
  return tokens;
}

std::size_t with_tokens(const SequencePool& pool) {
  std::size_t count = 0;
  for (const auto& [key, segment] : pool.segments()) count += segment.count == 0 ? 0 : 1;
  return count;
}

std::vector<std::int32_t> tokens_of(const SequencePool& pool, const SegmentKey& key) {
  SequencePool::Room room;
  const auto tokens = pool.tokens(pool.segments().at(key), room);
  return {tokens.begin(), tokens.end()};
}

}  // namespace

TEST_CASE("a sample pins the segments that its context touches, cut at the ends") {
  const auto tokens = counting(150);
  SequencePool pool(20);
  pool.pin({1, 0}, tokens);
  CHECK(with_tokens(pool) == 1);  // 0..20
  pool.pin({1, 43}, tokens);
  CHECK(with_tokens(pool) == 1);  // 23..63
  pool.pin({1, 44}, tokens);
  CHECK(with_tokens(pool) == 2);  // 24..64
  pool.pin({1, 149}, tokens);
  CHECK(with_tokens(pool) == 3);  // 129..149, the last segment
  CHECK(tokens_of(pool, {1, 2}) == std::vector<std::int32_t>(tokens.begin() + 128, tokens.end()));
  CHECK(pool.segments().at({1, 2}).length == 150);
}

TEST_CASE("a segment goes with its last pin, whatever the length of the sequence") {
  for (std::size_t length : {1u, 63u, 64u, 65u, 127u, 128u, 129u}) {
    SequencePool pool(20);
    const auto tokens = counting(length);
    for (std::uint32_t position = 0; position < length; ++position) pool.pin({5, position}, tokens);
    CHECK(with_tokens(pool) == (length + 63) / 64);
    for (std::uint32_t position = 1; position < length; ++position) pool.unpin({5, position});
    CHECK(tokens_of(pool, {5, 0}).size() == std::min<std::size_t>(length, 64));
    pool.unpin({5, 0});
    CHECK(pool.segments().empty());
  }
}

TEST_CASE("tokens that come later serve the samples pinned before") {
  SequencePool pool(4);
  pool.pin({9, 2}, {});
  CHECK(with_tokens(pool) == 0);
  pool.pin({9, 3}, counting(10));
  pool.unpin({9, 3});
  CHECK(tokens_of(pool, {9, 0}) == counting(10));
  pool.unpin({9, 2});
  CHECK(pool.segments().empty());
}

TEST_CASE("ids of any size come back, and take four bytes only where they need them") {
  SequencePool pool(4);
  for (const std::int32_t largest : {65535, 65536, 2147483647, -1}) {
    std::vector<std::int32_t> tokens = counting(70);
    tokens[3] = largest;
    const SequenceId id = sequence_id(tokens);
    pool.pin({id, 3}, tokens);
    pool.pin({id, 69}, tokens);
    CHECK(tokens_of(pool, {id, 0}) == std::vector<std::int32_t>(tokens.begin(), tokens.begin() + 64));
    CHECK(pool.segments().at({id, 0}).wide == (largest != 65535));
    CHECK_FALSE(pool.segments().at({id, 1}).wide);
  }
  const std::size_t bytes = pool.bytes();
  for (int round = 0; round < 100; ++round) {  // what was given back is used again
    for (const std::int32_t start : {100, 70000}) {
      std::vector<std::int32_t> tokens(60);
      std::iota(tokens.begin(), tokens.end(), start + round);
      pool.pin({sequence_id(tokens), 3}, tokens);
      CHECK(tokens_of(pool, {sequence_id(tokens), 0}) == tokens);
      pool.unpin({sequence_id(tokens), 3});
    }
  }
  CHECK(pool.bytes() == bytes);
}
