// Rows that were changed, found by their robust fingerprints: against the rows themselves, compared one by one.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "plugin/trace/provenance.h"
#include "plugin/trace/row_hash.h"
#include "tests/core/three_threads.h"

using namespace saetap;

namespace {

constexpr std::size_t kWidth = 96;
constexpr std::size_t kLength = 64;

using Rows = std::vector<float>;  // [n, kWidth]

struct Dimensions {
  std::vector<float> mean, spread;
};

const Dimensions& dimensions_of_rows() {
  static const auto dimensions = [] {
    std::mt19937 random(17);
    std::normal_distribution<float> normal;
    Dimensions made;
    for (std::size_t d = 0; d < kWidth; ++d) {
      made.mean.push_back(normal(random));
      made.spread.push_back(std::exp(normal(random)));
    }
    return made;
  }();
  return dimensions;
}

// Rows with a mean of their own in each dimension, some dimensions much larger than others, no two alike.
Rows random_rows(std::size_t count, unsigned seed) {
  const auto& dimensions = dimensions_of_rows();
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Rows rows(count * kWidth);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = dimensions.mean[i % kWidth] + dimensions.spread[i % kWidth] * normal(random);
  }
  return rows;
}

std::vector<std::uint64_t> hashes(const Rows& rows) {
  std::vector<std::uint64_t> values;
  for (std::size_t row = 0; row < rows.size() / kWidth; ++row) {
    values.push_back(row_hash(rows.data() + row * kWidth, kWidth * sizeof(float)));
  }
  return values;
}

float bfloat16(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

template <typename Change>
Rows changed(Rows rows, Change change) {
  for (std::size_t row = 0; row < rows.size(); row += kWidth) change(rows.data() + row);
  return rows;
}

void centre_and_normalise(float* row) {
  double squares = 0;
  for (std::size_t d = 0; d < kWidth; ++d) {
    row[d] -= dimensions_of_rows().mean[d];
    squares += double{row[d]} * row[d];
  }
  for (std::size_t d = 0; d < kWidth; ++d) row[d] = bfloat16(row[d] / static_cast<float>(std::sqrt(squares)));
}

void scale_each_dimension(float* row) {
  for (std::size_t d = 0; d < kWidth; ++d)
    row[d] = row[d] * (0.5f + static_cast<float>(d % 7)) + static_cast<float>(d % 3);
}

// A stream of `count` rows, each with a token of its own number.
struct Stream {
  explicit Stream(Provenance& provenance, Rows given) : rows(std::move(given)) {
    const auto count = rows.size() / kWidth;
    for (std::size_t i = 0; i < count; ++i) tokens.push_back(static_cast<std::int32_t>(i));
    const auto fingerprints = hashes(rows);
    for (std::size_t at = 0; at < count; at += 16 * kLength) {
      const auto rows_now = std::min(16 * kLength, count - at);
      provenance.record("model", {std::span(tokens).subspan(at, rows_now), kLength, {}},
                        {rows.data() + at * kWidth, kWidth, std::span(fingerprints).subspan(at, rows_now)});
    }
  }
  [[nodiscard]] TokenPosition place(std::size_t row) const {
    const auto first = row / kLength * kLength;
    return {sequence_id(std::span(tokens).subspan(first, kLength)), static_cast<std::uint32_t>(row - first)};
  }
  Rows rows;
  std::vector<std::int32_t> tokens;
};

struct Shuffled {
  std::vector<std::size_t> numbers;
  Rows rows;
};

Shuffled shuffled(const Rows& rows, std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Shuffled chosen;
  for (std::size_t i = 0; i < count; ++i) {
    chosen.numbers.push_back(random() % (rows.size() / kWidth));
    const auto* row = rows.data() + chosen.numbers.back() * kWidth;
    chosen.rows.insert(chosen.rows.end(), row, row + kWidth);
  }
  return chosen;
}

Resolution resolve(Provenance& provenance, const Rows& rows) {
  return provenance.resolve(0, {rows.data(), kWidth, hashes(rows)}, 1);
}

constexpr std::size_t kRows = 8192;
constexpr std::size_t kAsked = 1024;

}  // namespace

TEST_CASE("changed rows find their token, none a wrong one") {
  void (*const changes[])(float*) = {[](float* row) {
                                       for (std::size_t d = 0; d < kWidth; ++d) row[d] = bfloat16(row[d]);
                                     },
                                     centre_and_normalise, scale_each_dimension};
  for (const auto change : changes) {
    Provenance provenance({});
    const Stream stream(provenance, random_rows(kRows, 1));
    std::size_t right = 0;
    for (unsigned call = 0; call < 8; ++call) {
      const auto asked = shuffled(stream.rows, kAsked, call);
      const auto found = resolve(provenance, changed(asked.rows, change));
      for (std::size_t i = 0; i < kAsked; ++i) {
        if (!has_tokens(found.positions[i].sequence)) continue;
        REQUIRE(found.positions[i] == stream.place(asked.numbers[i]));
        ++right;
      }
    }
    // Dividing by a row's own size after centring moves the thresholds of each row differently.
    CHECK(right >= 8 * kAsked * (change == centre_and_normalise ? 985u : 999u) / 1000);
    CHECK(provenance.report(0).source == TokenSourceKind::robust);
  }
}

TEST_CASE("rows that are not in the stream, mixtures of rows and dropout find nothing") {
  Provenance provenance({});
  const Stream stream(provenance, random_rows(kRows, 1));
  CHECK(resolve(provenance, random_rows(kAsked, 2)).resolved == 0);
  auto mixed = shuffled(stream.rows, kAsked, 3).rows;
  const auto others = shuffled(stream.rows, kAsked, 4).rows;
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] = 0.85f * mixed[i] + 0.15f * others[i];
  CHECK(resolve(provenance, mixed).resolved == 0);
  auto dropped = shuffled(stream.rows, kAsked, 5).rows;
  std::mt19937 random(6);
  for (auto& value : dropped) value = random() % 8 == 0 ? 0 : value;
  CHECK(resolve(provenance, dropped).resolved == 0);

  // With others that can be learnt from, the mixed ones among them are still unknown.
  auto asked = shuffled(stream.rows, kAsked, 7);
  auto rows = changed(asked.rows, [](float* row) {
    for (std::size_t d = 0; d < kWidth; ++d) row[d] *= 3;
  });
  std::copy(mixed.begin(), mixed.begin() + 100 * kWidth, rows.begin());
  provenance = Provenance({});
  const Stream again(provenance, random_rows(kRows, 1));
  const auto found = resolve(provenance, rows);
  CHECK(found.resolved == kAsked - 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK_FALSE(has_tokens(found.positions[i].sequence));
}

TEST_CASE("mixtures of rows find nothing, though some are mixed with the same row") {
  Provenance provenance({});
  const Stream stream(provenance, random_rows(kRows, 1));
  auto mixed = shuffled(stream.rows, kAsked, 3).rows;
  const auto others = shuffled(stream.rows, kAsked, 4).rows;
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    const auto row = i / kWidth;
    mixed[i] = 0.5f * mixed[i] + 0.5f * (row % 11 < 2 ? others[i % kWidth] : others[i]);
  }
  CHECK(resolve(provenance, mixed).resolved == 0);
}

TEST_CASE("near-duplicates are ambiguous, the same row in two texts is handed out in turn") {
  // Every row is there twice: once as it is, once moved by less than bfloat16 can show.
  auto rows = random_rows(kRows / 2, 1);
  const auto twins = changed(rows, [](float* row) {
    for (std::size_t d = 0; d < kWidth; ++d) row[d] *= d % 2 == 0 ? 1.0001f : 0.9999f;
  });
  const auto single = random_rows(kRows, 9);
  rows.insert(rows.end(), twins.begin(), twins.end());
  rows.insert(rows.end(), single.begin(), single.end());
  Provenance provenance({});
  const Stream stream(provenance, rows);
  const auto round = [](float* row) {
    for (std::size_t d = 0; d < kWidth; ++d) row[d] = bfloat16(row[d]);
  };
  // Learnt from rows without twins.
  CHECK(resolve(provenance, changed(shuffled(single, kAsked, 1).rows, round)).resolved >= kAsked - 1);
  const auto found = resolve(provenance, changed(shuffled(twins, kAsked, 2).rows, round));
  CHECK(found.resolved == 0);
  CHECK(found.ambiguous == kAsked);
}

TEST_CASE("thresholds are fitted three times more, and then no more") {
  const auto rows = random_rows(kRows, 1);
  const auto pairs = DimensionPairs::choose(rows.data(), kRows, kWidth).value();
  SignatureIndex index;
  index.reserve(kRows);
  for (std::uint32_t row = 0; row < kRows; ++row) index.record(row, pairs.sign(rows.data() + row * kWidth));
  const auto given = changed(rows, centre_and_normalise);
  auto matcher = RowMatcher::learn(pairs, index, given.data(), kRows, testing::three_threads).value();
  const auto confirm = [&](std::size_t count, const Rows& confirmed) {
    for (std::uint32_t row = 0; row < count; ++row) {
      matcher.confirm(confirmed.data() + row * kWidth, index.at(row), testing::three_threads);
    }
  };
  const auto learnt = matcher.noise();
  confirm(kRows / 2, given);
  const auto fitted = matcher.noise();
  CHECK(fitted != learnt);
  const auto found = matcher.match(index, given.data());
  CHECK(found == std::vector<std::uint32_t>{0});
  confirm(kRows, rows);  // which would move them
  CHECK(matcher.noise() == fitted);
  CHECK(matcher.match(index, given.data()) == found);
}

TEST_CASE("rows in the order of the model's call keep their place, whatever else was done to them") {
  Provenance provenance({});
  const Stream stream(provenance, random_rows(16 * kLength, 1));  // one call
  auto rows = stream.rows;
  std::mt19937 random(6);
  for (auto& value : rows) value = random() % 8 == 0 ? 0 : value;
  // Some rows are others.
  const auto foreign = random_rows(20, 5);
  std::copy(foreign.begin(), foreign.end(), rows.begin());
  const auto found = resolve(provenance, rows);
  CHECK(provenance.report(0).source == TokenSourceKind::in_step);
  CHECK(found.resolved >= 16 * kLength - 25);
  for (std::size_t i = 0; i < 16 * kLength; ++i) {
    if (!has_tokens(found.positions[i].sequence)) continue;
    CHECK(i >= 20);
    CHECK(found.positions[i] == stream.place(i));
  }
}

TEST_CASE("a row costs at most 96 bytes, and what is forgotten is not found") {
  Provenance provenance([] {
    TraceOptions options;
    options.buffer_rows = kRows;
    return options;
  }());
  const Stream stream(provenance, random_rows(3 * kRows, 1));  // the first two thirds are forgotten
  CHECK(static_cast<double>(provenance.bytes()) / kRows <= 96);
  const auto asked = shuffled(Rows(stream.rows.begin() + 2 * kRows * kWidth, stream.rows.end()), kAsked, 1);
  const auto found = resolve(provenance, changed(asked.rows, scale_each_dimension));
  CHECK(found.resolved >= kAsked * 99 / 100);
  CHECK(resolve(provenance, Rows(stream.rows.begin(), stream.rows.begin() + kAsked * kWidth)).resolved == 0);
}
