// From rows back to tokens, with known answers.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "plugin/trace/provenance.h"
#include "tests/core/three_threads.h"

using namespace saetap;

namespace {

constexpr std::size_t kWidth = 64;
constexpr SequenceId kUnresolved = 12345;

std::vector<std::uint64_t> numbers(std::size_t count, std::uint64_t first) {
  std::vector<std::uint64_t> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

// Valid within the expression it stands in.
RowMatrix rows(const std::vector<std::uint64_t>& fingerprints, std::size_t width = kWidth) {
  return {nullptr, width, fingerprints};
}

TraceOptions options(std::size_t buffer_rows, TokenRules rules = {}) {
  TraceOptions options;
  options.buffer_rows = buffer_rows;
  options.rules = std::move(rules);
  return options;
}

}  // namespace

TEST_CASE("each reader finds the stream its rows come from") {
  Provenance provenance(options(1000), testing::three_threads);
  const std::vector<std::int32_t> tokens{1, 2, 3, 4, 5, 6};
  const auto first = numbers(6, 100);
  const auto second = numbers(6, 200);
  provenance.record("model output 0", {tokens, 3, {}}, rows(first));
  provenance.record("model output 1", {tokens, 3, {}}, rows(second));

  const std::vector<std::uint64_t> shuffled{205, 200, 203};
  const auto found = provenance.resolve(0, rows(shuffled), kUnresolved);
  CHECK(provenance.report(0).stream == "model output 1");
  CHECK(found.resolved == 3);
  const auto earlier = sequence_id(std::vector<std::int32_t>{1, 2, 3});
  const auto later = sequence_id(std::vector<std::int32_t>{4, 5, 6});
  CHECK(found.positions == std::vector<TokenPosition>{{later, 2}, {earlier, 0}, {later, 0}});
  CHECK(found.tokens == std::vector<std::int32_t>{6, 1, 4});
  CHECK(std::ranges::equal(provenance.tokens().tokens(later), std::vector<std::int32_t>{4, 5, 6}));

  CHECK(provenance.resolve(1, rows(numbers(3, 100)), kUnresolved).resolved == 3);
  CHECK(provenance.report(1).stream == "model output 0");
  // The same bits in rows of another width are other rows.
  CHECK(provenance.resolve(2, rows(numbers(3, 100), 2 * kWidth), kUnresolved).resolved == 0);
}

TEST_CASE("what is not found keeps its running number") {
  Provenance provenance(options(1000), testing::three_threads);
  const auto first = provenance.resolve(0, rows(numbers(3, 1)), kUnresolved);
  const auto second = provenance.resolve(0, rows(numbers(2, 1)), kUnresolved);
  CHECK(first.resolved == 0);
  CHECK(first.positions == std::vector<TokenPosition>{{kUnresolved, 0}, {kUnresolved, 1}, {kUnresolved, 2}});
  CHECK(second.positions == std::vector<TokenPosition>{{kUnresolved, 3}, {kUnresolved, 4}});
  CHECK(first.eligible == std::vector<std::uint8_t>{1, 1, 1});
  CHECK(first.tokens == std::vector<std::int32_t>(3, kNoToken));
}

TEST_CASE("sequences are forgotten with their last row, and repeats are one sequence") {
  Provenance provenance(options(8), testing::three_threads);
  const std::vector<std::int32_t> a{1, 2, 3, 4};
  const std::vector<std::int32_t> b{5, 6, 7, 8};
  provenance.record("m", {a, 4, {}}, rows(numbers(4, 10)));
  provenance.record("m", {b, 4, {}}, rows(numbers(4, 20)));
  provenance.record("m", {a, 4, {}},
                    rows(numbers(4, 30)));  // pushes the first a out; a is still known through this one
  CHECK_FALSE(provenance.tokens().tokens(sequence_id(a)).empty());
  CHECK(provenance.resolve(0, rows(numbers(4, 10)), kUnresolved).resolved == 0);
  CHECK(provenance.resolve(0, rows(numbers(4, 30)), kUnresolved).positions[2] == TokenPosition{sequence_id(a), 2});
  provenance.record("m", {b, 4, {}}, rows(numbers(4, 40)));
  provenance.record("m", {b, 4, {}}, rows(numbers(4, 50)));
  CHECK(provenance.tokens().tokens(sequence_id(a)).empty());
}

TEST_CASE("ignored ids are stripped from the ends and excluded inside; so are first positions") {
  Provenance provenance(options(100, {{0, 101}, {}, 1}), testing::three_threads);
  const std::vector<std::int32_t> tokens{0, 0, 101, 5, 6, 101, 7, 101, 0};
  provenance.record("m", {tokens, 9, {}}, rows(numbers(9, 1)));
  const auto found = provenance.resolve(0, rows(numbers(9, 1)), kUnresolved);
  CHECK(found.eligible == std::vector<std::uint8_t>{0, 0, 0, 0, 1, 0, 1, 0, 0});
  CHECK(found.tokens == std::vector<std::int32_t>{-1, -1, -1, -1, 6, -1, 7, -1, -1});
  const auto stripped = sequence_id(std::vector<std::int32_t>{5, 6, 101, 7});
  CHECK(found.positions[4] == TokenPosition{stripped, 1});
  CHECK(found.positions[6] == TokenPosition{stripped, 3});
  CHECK(found.resolved == 9);
  CHECK(found.excluded == 7);
}

TEST_CASE("batches whose shapes do not fit are not recorded") {
  Provenance provenance(options(100), testing::three_threads);
  const std::vector<std::int32_t> tokens{1, 2, 3};
  provenance.record("m", {tokens, 0, {}}, rows(numbers(3, 1)));
  provenance.record("m", {tokens, 2, {}}, rows(numbers(3, 1)));
  provenance.record("m", {tokens, 3, {}}, rows(numbers(2, 1)));
  CHECK(provenance.resolve(0, rows(numbers(3, 1)), kUnresolved).resolved == 0);
}

TEST_CASE("two readers of one stream each get every origin of equal rows") {
  Provenance provenance(options(1000), testing::three_threads);
  const std::vector<std::int32_t> tokens{1, 2, 1, 3};
  const std::vector<std::uint64_t> same_start{7, 8, 7, 9};  // both texts begin with the same row
  provenance.record("m", {tokens, 2, {}}, rows(same_start));
  const std::vector<std::uint64_t> one{7};
  const TokenPosition first{sequence_id(std::vector<std::int32_t>{1, 2}), 0};
  const TokenPosition second{sequence_id(std::vector<std::int32_t>{1, 3}), 0};
  for (int round = 0; round < 2; ++round) {
    for (const int reader : {0, 1}) {
      CHECK(provenance.resolve(reader, rows(one), kUnresolved).positions[0] == first);
    }
    for (const int reader : {0, 1}) {
      CHECK(provenance.resolve(reader, rows(one), kUnresolved).positions[0] == second);
    }
  }
}

TEST_CASE("a reader that comes when signatures were dropped, and before there are new ones, finds none") {
  constexpr std::size_t kRows = 2048, kWide = 96;
  Provenance provenance(options(kRows), testing::three_threads);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(kRows * kWide);
  for (auto& value : values) value = normal(random);
  const std::vector<std::int32_t> tokens(kRows, 7);
  const auto fingerprints = numbers(kRows, 1);
  const auto others = numbers(kRows, 100000);
  provenance.record("m", {tokens, kRows, {}}, {values.data(), kWide, fingerprints});
  for (int call = 0; call < 11; ++call) {  // enough to know that nobody needs them
    CHECK(provenance.resolve(0, {values.data(), kWide, fingerprints}, kUnresolved).resolved == kRows);
  }
  CHECK(provenance.resolve(1, {values.data(), kWide, others}, kUnresolved).resolved == 0);
}

TEST_CASE("a call's rows in order have their own place where bits repeat") {
  Provenance provenance(options(1000), testing::three_threads);
  const std::vector<std::int32_t> tokens{1, 2, 1, 3};
  const std::vector<std::uint64_t> same_start{7, 8, 7, 9};
  provenance.record("m", {tokens, 2, {}}, rows(same_start));
  (void)provenance.resolve(0, rows({7}), kUnresolved);  // the turn is the second one's now
  const auto found = provenance.resolve(0, rows(same_start), kUnresolved);
  CHECK(found.positions[0].sequence == sequence_id(std::vector<std::int32_t>{1, 2}));
  CHECK(found.positions[2].sequence == sequence_id(std::vector<std::int32_t>{1, 3}));
  CHECK(provenance.report(0).source == TokenSourceKind::in_step);
}

TEST_CASE("tokens that the program tells hold for the next call of each reader and its repeats, for no other") {
  Provenance provenance(options(1000, {{0}, {0}, 0}), testing::three_threads);
  const std::vector<std::int32_t> tokens{5, 6, 0, 7, 8, 9};
  const std::vector<std::uint8_t> mask{1, 1, 1, 1, 1, 0};
  provenance.tell({tokens, 3, mask}, {});
  const auto text = sequence_id(std::vector<std::int32_t>{7, 8});
  for (const int reader : {0, 1, 0}) {  // the third: a repeat, as activation checkpointing makes them
    const auto found = provenance.resolve(reader, rows(numbers(6, 1)), kUnresolved);
    CHECK(found.resolved == 6);
    CHECK(found.eligible == std::vector<std::uint8_t>{1, 1, 0, 1, 1, 0});
    CHECK(found.positions[4] == TokenPosition{text, 1});
    CHECK(provenance.report(reader).source == TokenSourceKind::told);
  }
  CHECK(provenance.resolve(0, rows(numbers(6, 50)), kUnresolved).resolved == 0);
  CHECK(provenance.resolve(1, rows(numbers(5, 1)), kUnresolved).resolved == 0);

  const std::vector<std::int64_t> places{4, -1, 2, 100};
  provenance.tell({tokens, 3, mask}, places);
  const auto found = provenance.resolve(0, rows(numbers(4, 1)), kUnresolved);
  CHECK(found.positions[0] == TokenPosition{text, 1});
  CHECK(found.eligible == std::vector<std::uint8_t>{1, 1, 0, 1});
  CHECK(found.resolved == 2);
  CHECK_FALSE(has_tokens(found.positions[1].sequence));
  CHECK_FALSE(has_tokens(found.positions[3].sequence));
}

TEST_CASE("tokens.source in_step takes the order of the latest call, if the number of rows fits") {
  auto in_step = options(1000);
  in_step.use_told = in_step.use_exact = in_step.use_robust = false;
  Provenance provenance(in_step, testing::three_threads);
  const std::vector<std::int32_t> tokens{5, 6, 7};
  provenance.record_tokens("m", {tokens, 3, {}});
  const auto found = provenance.resolve(0, rows(numbers(3, 1)), kUnresolved);
  CHECK(found.positions[2] == TokenPosition{sequence_id(tokens), 2});
  CHECK(provenance.resolve(0, rows(numbers(2, 1)), kUnresolved).resolved == 0);
  CHECK(std::ranges::equal(provenance.tokens().tokens(sequence_id(tokens)), tokens));
}
