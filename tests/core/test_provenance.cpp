// From rows back to tokens, with known answers.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "plugin/trace/provenance.h"

using namespace saetap;

namespace {

constexpr std::size_t kRowBytes = 64;
constexpr SequenceId kUnresolved = 12345;

std::vector<std::uint64_t> numbers(std::size_t count, std::uint64_t first) {
  std::vector<std::uint64_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace

TEST_CASE("each reader finds the stream its rows come from") {
  Provenance provenance({}, 1000);
  const std::vector<std::int32_t> tokens{1, 2, 3, 4, 5, 6};
  const auto first = numbers(6, 100);
  const auto second = numbers(6, 200);
  provenance.record("model output 0", tokens, 3, {first, kRowBytes});
  provenance.record("model output 1", tokens, 3, {second, kRowBytes});

  const std::vector<std::uint64_t> shuffled{205, 200, 203};
  const auto found = provenance.resolve(0, {shuffled, kRowBytes}, kUnresolved);
  CHECK(provenance.stream_of(0) == "model output 1");
  CHECK(found.resolved == 3);
  const auto earlier = sequence_id(std::vector<std::int32_t>{1, 2, 3});
  const auto later = sequence_id(std::vector<std::int32_t>{4, 5, 6});
  CHECK(found.positions == std::vector<TokenPosition>{{later, 2}, {earlier, 0}, {later, 0}});
  CHECK(std::ranges::equal(provenance.tokens().tokens(later), std::vector<std::int32_t>{4, 5, 6}));

  CHECK(provenance.resolve(1, {numbers(3, 100), kRowBytes}, kUnresolved).resolved == 3);
  CHECK(provenance.stream_of(1) == "model output 0");
  // The same bits in rows of another size are other rows.
  CHECK(provenance.resolve(2, {numbers(3, 100), 2 * kRowBytes}, kUnresolved).resolved == 0);
}

TEST_CASE("what is not found keeps its running number") {
  Provenance provenance({}, 1000);
  const auto first = provenance.resolve(0, {numbers(3, 1), kRowBytes}, kUnresolved);
  const auto second = provenance.resolve(0, {numbers(2, 1), kRowBytes}, kUnresolved);
  CHECK(first.resolved == 0);
  CHECK(first.positions == std::vector<TokenPosition>{{kUnresolved, 0}, {kUnresolved, 1}, {kUnresolved, 2}});
  CHECK(second.positions == std::vector<TokenPosition>{{kUnresolved, 3}, {kUnresolved, 4}});
  CHECK(first.eligible == std::vector<std::uint8_t>{1, 1, 1});
}

TEST_CASE("sequences are forgotten with their last row, and repeats are one sequence") {
  Provenance provenance({}, 8);
  const std::vector<std::int32_t> a{1, 2, 3, 4};
  const std::vector<std::int32_t> b{5, 6, 7, 8};
  provenance.record("m", a, 4, {numbers(4, 10), kRowBytes});
  provenance.record("m", b, 4, {numbers(4, 20), kRowBytes});
  provenance.record("m", a, 4,
                    {numbers(4, 30), kRowBytes});  // pushes the first a out; a is still known through this one
  CHECK_FALSE(provenance.tokens().tokens(sequence_id(a)).empty());
  CHECK(provenance.resolve(0, {numbers(4, 10), kRowBytes}, kUnresolved).resolved == 0);
  CHECK(provenance.resolve(0, {numbers(4, 30), kRowBytes}, kUnresolved).positions[2] ==
        TokenPosition{sequence_id(a), 2});
  provenance.record("m", b, 4, {numbers(4, 40), kRowBytes});
  provenance.record("m", b, 4, {numbers(4, 50), kRowBytes});
  CHECK(provenance.tokens().tokens(sequence_id(a)).empty());
}

TEST_CASE("ignored ids are stripped from the ends and excluded inside; so are first positions") {
  Provenance provenance({{0, 101}, 1}, 100);
  const std::vector<std::int32_t> tokens{0, 0, 101, 5, 6, 101, 7, 101, 0};
  provenance.record("m", tokens, 9, {numbers(9, 1), kRowBytes});
  const auto found = provenance.resolve(0, {numbers(9, 1), kRowBytes}, kUnresolved);
  CHECK(found.eligible == std::vector<std::uint8_t>{0, 0, 0, 0, 1, 0, 1, 0, 0});
  const auto stripped = sequence_id(std::vector<std::int32_t>{5, 6, 101, 7});
  CHECK(found.positions[4] == TokenPosition{stripped, 1});
  CHECK(found.positions[6] == TokenPosition{stripped, 3});
  CHECK(found.resolved == 9);
  CHECK(found.excluded == 7);
}

TEST_CASE("batches whose shapes do not fit are not recorded") {
  Provenance provenance({}, 100);
  const std::vector<std::int32_t> tokens{1, 2, 3};
  provenance.record("m", tokens, 0, {numbers(3, 1), kRowBytes});
  provenance.record("m", tokens, 2, {numbers(3, 1), kRowBytes});
  provenance.record("m", tokens, 3, {numbers(2, 1), kRowBytes});
  CHECK(provenance.resolve(0, {numbers(3, 1), kRowBytes}, kUnresolved).resolved == 0);
}
