// Products and pairs of more features than a block has, against plain loops over all pairs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "integrations/analysis/random_numbers.h"
#include "integrations/analysis/similar_features.h"

using saetap::Neighbor;

namespace {

constexpr std::size_t kFeatures = 4500;  // three blocks, the last one not full
constexpr std::size_t kWidth = 5;
constexpr std::size_t kNone = 2100;  // a feature without a direction

std::vector<float> some_directions(std::size_t count) {
  saetap::RandomBits bits(3);
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(saetap::random_share(bits) - 0.5));
  return values;
}

std::vector<float> directions_with_a_gap() {
  std::vector<float> values = some_directions(kFeatures * kWidth);
  std::fill_n(values.begin() + kNone * kWidth, kWidth, 0.0f);
  return values;
}

double cosine(const std::vector<float>& values, std::size_t a, std::size_t b) {
  double product = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < kWidth; ++i) {
    const double x = values[a * kWidth + i], y = values[b * kWidth + i];
    product += x * y;
    first += x * x;
    second += y * y;
  }
  return product / std::sqrt(first * second);
}

}  // namespace

TEST_CASE("products by OpenBLAS, where it is, and by the plain loops are the same") {
  constexpr std::size_t kA = 37, kB = 70, kInner = 19;
  const std::vector<float> a = some_directions(kA * kInner), b = some_directions(kB * kInner);
  std::vector<float> rows(kA * kB), plainly(kA * kB);
  saetap::multiply_rows({a.data(), kA, kInner}, {b.data(), kB, kInner}, rows.data());
  saetap::multiply_rows_plainly({a.data(), kA, kInner}, {b.data(), kB, kInner}, plainly.data());
  for (const auto& [i, j] : {std::pair<std::size_t, std::size_t>{0, 0}, {5, 69}, {36, 1}, {36, 69}}) {
    double product = 0;
    for (std::size_t k = 0; k < kInner; ++k) product += static_cast<double>(a[i * kInner + k] * b[j * kInner + k]);
    CHECK(rows[i * kB + j] == doctest::Approx(product).epsilon(1e-5));
    CHECK(plainly[i * kB + j] == doctest::Approx(product).epsilon(1e-5));
  }
  std::vector<float> columns(kA * kB), columns_plainly(kA * kB);
  saetap::multiply_columns({a.data(), kInner, kA}, {b.data(), kInner, kB}, columns.data());
  saetap::multiply_columns_plainly({a.data(), kInner, kA}, {b.data(), kInner, kB}, columns_plainly.data());
  for (const auto& [i, j] : {std::pair<std::size_t, std::size_t>{0, 0}, {5, 69}, {36, 1}, {36, 69}}) {
    double product = 0;
    for (std::size_t k = 0; k < kInner; ++k) product += static_cast<double>(a[k * kA + i] * b[k * kB + j]);
    CHECK(columns[i * kB + j] == doctest::Approx(product).epsilon(1e-5));
    CHECK(columns_plainly[i * kB + j] == doctest::Approx(product).epsilon(1e-5));
  }
}

TEST_CASE("all pairs above a bound are found once, across blocks") {
  const std::vector<float> values = directions_with_a_gap();
  constexpr float kLeast = 0.98f;
  saetap::PairsAbove keeper(kFeatures, kLeast, kFeatures * kFeatures);
  std::size_t last = 0;
  saetap::find_similar_directions(saetap::unit_directions(values, kFeatures), keeper, [&](std::size_t done) {
    CHECK(done >= last);
    last = done;
  });
  CHECK(last == kFeatures - 1);  // that have a direction
  std::map<std::pair<std::uint32_t, std::uint32_t>, float> found;
  for (const saetap::SimilarPair& pair : keeper.take()) found[{pair.first, pair.second}] = pair.similarity;
  CHECK(found.size() == keeper.found());
  std::size_t expected = 0;
  for (std::uint32_t a = 0; a < kFeatures; ++a) {
    for (std::uint32_t b = a + 1; b < kFeatures; ++b) {
      const double exactly = cosine(values, a, b);
      if (!(std::abs(exactly - static_cast<double>(kLeast)) > 1e-5)) continue;  // rounding may decide
      const auto pair = found.find({a, b});
      const bool wanted = exactly > static_cast<double>(kLeast);
      expected += wanted ? 1 : 0;
      if (wanted != (pair != found.end())) FAIL_CHECK(a << " and " << b << ": " << exactly);
      if (wanted && pair != found.end())
        CHECK(static_cast<double>(pair->second) == doctest::Approx(exactly).epsilon(1e-5));
    }
  }
  CHECK(expected > 1000);
}

TEST_CASE("where no pair is above a bound, the most similar one is known") {
  const std::vector<float> values = directions_with_a_gap();
  saetap::PairsAbove all(kFeatures, -1, kFeatures * kFeatures);
  const auto units = saetap::unit_directions(values, kFeatures);
  saetap::find_similar_directions(units, all, {});
  CHECK_FALSE(all.best_below());
  const float most = all.take().front().similarity;
  saetap::PairsAbove none(kFeatures, 1.1f, kFeatures * kFeatures);
  saetap::find_similar_directions(units, none, {});
  CHECK(none.found() == 0);
  REQUIRE(none.best_below());
  CHECK(none.best_below()->similarity == most);
}

TEST_CASE("the nearest of all features are those of each one, across blocks") {
  const std::vector<float> values = directions_with_a_gap();
  constexpr std::size_t kTop = 7;
  const auto lists = saetap::nearest_of_all(values, kFeatures, kTop);
  REQUIRE(lists.size() == kFeatures);
  CHECK(lists[kNone].empty());
  for (std::size_t feature = 0; feature < kFeatures; feature += 450 / 7) {
    if (feature == kNone) continue;
    std::vector<double> cosines;
    for (std::size_t other = 0; other < kFeatures; ++other) {
      if (other != feature && other != kNone) cosines.push_back(cosine(values, feature, other));
    }
    std::sort(cosines.rbegin(), cosines.rend());
    REQUIRE(lists[feature].size() == kTop);
    for (std::size_t i = 0; i < kTop; ++i) {
      const Neighbor& one = lists[feature][i];
      CHECK(one.cosine == doctest::Approx(cosines[i]).epsilon(1e-5));
      CHECK(one.cosine == doctest::Approx(cosine(values, feature, one.feature)).epsilon(1e-5));
    }
  }
}

TEST_CASE("of features that are equally similar the lower numbers are kept") {
  saetap::NearestKeeper keeper(6, 2, -1);
  for (const std::uint32_t other : {5u, 3u, 1u, 4u, 2u}) keeper.offer({0, other, 0.5f});
  const auto lists = keeper.take();
  REQUIRE(lists[0].size() == 2);
  CHECK(lists[0][0].feature == 1);
  CHECK(lists[0][1].feature == 2);
  CHECK(lists[5][0].feature == 0);
}
