// Rows of a model and of an SAE's input that are no ordinary numbers: others find their token all the same.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "plugin/trace/provenance.h"
#include "plugin/trace/row_hash.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::record_fault;

namespace {

using Limits = std::numeric_limits<float>;

constexpr std::size_t kWidth = 64;
constexpr std::size_t kLength = 32;

struct Rows {
  std::vector<float> values;
  std::vector<std::uint64_t> fingerprints;

  explicit Rows(std::vector<float> given) : values(std::move(given)) {
    for (std::size_t row = 0; row < values.size(); row += kWidth) {
      fingerprints.push_back(row_hash(values.data() + row, kWidth * sizeof(float)));
    }
  }
  [[nodiscard]] RowMatrix view() const { return {values.data(), kWidth, fingerprints}; }
};

std::vector<float> random_rows(std::mt19937& random, std::size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count * kWidth);
  for (auto& value : values) value = normal(random);
  return values;
}

// A row of NaN, of infinities, of nothing, of the largest or of the smallest numbers; or with one of them that no
// number beside it can be told from. (A row with a plain number in place of its own is another row, and no hostile
// one.)
void spoil(std::mt19937& random, std::vector<float>& values, std::size_t row) {
  const std::vector<float> hostile{Limits::quiet_NaN(),
                                   -Limits::quiet_NaN(),
                                   Limits::infinity(),
                                   -Limits::infinity(),
                                   Limits::max(),
                                   -Limits::max(),
                                   0.0f,
                                   -0.0f,
                                   Limits::denorm_min(),
                                   Limits::min()};
  const auto with = hostile[random() % hostile.size()];
  const bool whole = random() % 2 == 0 || std::abs(with) < 1;
  for (std::size_t d = 0; d < kWidth; ++d) {
    if (whole || random() % kWidth == 0) values[row * kWidth + d] = with;
  }
  values[row * kWidth] = with;
}

std::vector<std::int32_t> tokens_of(std::int32_t first, std::size_t count) {
  std::vector<std::int32_t> tokens(count);
  for (auto& token : tokens) token = first++;
  return tokens;
}

}  // namespace

TEST_CASE("a model whose rows are spoilt here and there is known by the others, bit for bit and changed on the way") {
  std::size_t tries = 0;
  for (unsigned seed = 0; seed < 6; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    Provenance provenance({});
    std::vector<float> all;
    std::vector<std::uint8_t> spoilt;
    for (int call = 0; call < 80; ++call) {
      auto values = random_rows(random, kLength);
      std::vector<std::uint8_t> here(kLength);
      for (std::size_t row = 0; row < kLength; ++row) {
        if (random() % 16 != 0) continue;
        spoil(random, values, row);
        here[row] = 1;
        ++tries;
      }
      const Rows rows(values);
      const auto tokens = tokens_of(call * static_cast<std::int32_t>(kLength), kLength);
      provenance.record("model", {tokens, kLength, {}}, rows.view());
      all.insert(all.end(), values.begin(), values.end());
      spoilt.insert(spoilt.end(), here.begin(), here.end());
    }
    const auto place_of = [&](std::size_t row) {
      const auto call = row / kLength;
      const auto tokens = tokens_of(static_cast<std::int32_t>(call * kLength), kLength);
      return TokenPosition{sequence_id(tokens), static_cast<std::uint32_t>(row % kLength)};
    };
    const auto ask = [&](int reader, float scale, float shift, bool spoil_again) {
      std::vector<float> values;
      std::vector<std::size_t> which;
      std::vector<std::uint8_t> plain;
      for (std::size_t i = 0; i < 600; ++i) {
        const auto row = random() % spoilt.size();
        which.push_back(row);
        plain.push_back(spoilt[row] == 0 ? 1 : 0);
        for (std::size_t d = 0; d < kWidth; ++d) values.push_back(all[row * kWidth + d] * scale + shift);
        if (!spoil_again || random() % 10 != 0) continue;
        spoil(random, values, i);
        plain.back() = 0;
        ++tries;
      }
      const Rows rows(values);
      const auto found = provenance.resolve(reader, rows.view(), 17);
      REQUIRE(found.positions.size() == which.size());
      std::size_t right = 0, wrong = 0, count = 0;
      for (std::size_t i = 0; i < which.size(); ++i) {
        if (plain[i] == 0) continue;
        ++count;
        if (!has_tokens(found.positions[i].sequence)) continue;
        (found.positions[i] == place_of(which[i]) ? right : wrong) += 1;
      }
      CHECK(wrong == 0);
      return static_cast<double>(right) / static_cast<double>(count);
    };
    CHECK(ask(0, 1, 0, true) == 1);
    for (int call = 0; call < 4; ++call) {
      const auto share = ask(1, 0.5f + 1.0f / 3, 0, true);
      CHECK(share > 0.97);
    }
  }
  record_fault("input", "rows of a language model and of an SAE's input with NaN, infinities and extreme numbers",
               tries, "nothing: they have no token, the others have theirs");
}

TEST_CASE("rows of nothing but hostile numbers find nothing and do no harm") {
  std::mt19937 random(9);
  Provenance provenance({});
  for (int call = 0; call < 80; ++call) {
    auto values = random_rows(random, kLength);
    for (std::size_t row = 0; row < kLength; ++row) spoil(random, values, row);
    const auto tokens = tokens_of(call * static_cast<std::int32_t>(kLength), kLength);
    provenance.record("model", {tokens, kLength, {}}, Rows(values).view());
  }
  for (int call = 0; call < 40; ++call) {
    auto values = random_rows(random, 600);
    // Dimensions that are all but dead, as they come before a scale of each is fitted.
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i % 3 == 0) values[i] *= Limits::denorm_min() * 1000;
      if (i % 7 == 0) values[i] *= Limits::max() / 1000;
    }
    if (call % 2 == 0) {
      for (std::size_t row = 0; row < 600; row += 1 + random() % 5) spoil(random, values, row);
    }
    const auto found = provenance.resolve(3, Rows(values).view(), 17);
    CHECK(found.positions.size() == 600);
    CHECK(found.resolved + found.ambiguous <= 600);
  }
}
