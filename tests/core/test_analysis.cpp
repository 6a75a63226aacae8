// Rankings, neighbours and counts; expected values worked out by hand.
#include <doctest/doctest.h>

#include <limits>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/ranking.h"
#include "integrations/analysis/similar_features.h"

using saetap::FeatureStatistics;
using saetap::RankBy;

namespace {

FeatureStatistics active(std::uint64_t times, double sum, float max) {
  return {.active = times, .sum = sum, .sum_of_squares = sum * sum, .max = max, .nonfinite = 0, .negative = 0};
}

// Feature 1 never fired; 0 and 3 have the same maximum.
const std::vector<FeatureStatistics> kFour{active(10, 30, 5), active(0, 0, 0), active(50, 50, 2), active(2, 9, 5)};
constexpr std::uint64_t kEligible = 100;

std::vector<std::uint32_t> order(RankBy by, std::size_t top = 10, saetap::DensityRange range = {}) {
  std::vector<std::uint32_t> features;
  for (const auto& ranked : saetap::rank_features(kFour, kEligible, by, top, range)) features.push_back(ranked.feature);
  return features;
}

}  // namespace

TEST_CASE("features rank by the figure asked for, ties by number, dead ones left out") {
  using Features = std::vector<std::uint32_t>;
  CHECK(order(RankBy::max_activation) == Features{0, 3, 2});
  CHECK(order(RankBy::mean) == Features{3, 0, 2});  // 4.5, 3, 1
  CHECK(order(RankBy::density) == Features{2, 0, 3});
  CHECK(order(RankBy::count) == Features{2, 0, 3});
  CHECK(order(RankBy::max_activation, 2) == Features{0, 3});
  CHECK(order(RankBy::max_activation, 0).empty());
}

TEST_CASE("a density range keeps its ends") {
  using Features = std::vector<std::uint32_t>;
  CHECK(order(RankBy::density, 10, {.lowest = 0.1, .highest = 0.5}) == Features{2, 0});
  CHECK(order(RankBy::density, 10, {.lowest = 0, .highest = 0.05}) == Features{3});
}

TEST_CASE("a summary counts the alive and the dead and the mean number active") {
  const saetap::SiteSummary summary = saetap::summarize(kFour, kEligible);
  CHECK(summary.alive == 3);
  CHECK(summary.dead == 1);
  CHECK(summary.mean_active == doctest::Approx(0.62));  // (10 + 50 + 2) / 100
  CHECK(summary.density_p10 == doctest::Approx(0.02));
  CHECK(summary.density_median == doctest::Approx(0.1));
  CHECK(summary.density_p90 == doctest::Approx(0.5));
  CHECK(summary.dense == 1);  // 0.5; exactly 0.1 is not above
}

TEST_CASE("nothing seen summarizes to nothing") {
  const saetap::SiteSummary summary = saetap::summarize(std::vector<FeatureStatistics>(3), 0);
  CHECK(summary.dead == 3);
  CHECK(summary.mean_active == 0);
  CHECK(summary.density_median == 0);
}

TEST_CASE("decoder-nearest is by direction, not by length") {
  // Four features of width 2: along x, along x but long, the diagonal, against x.
  const std::vector<float> directions{1, 0, 10, 0, 1, 1, -1, 0};
  const auto near = [&](std::uint32_t feature, std::size_t top) {
    return saetap::nearest_of_some(directions, 4, std::vector{feature}, top).at(feature);
  };
  const auto nearest = near(0, 2);
  REQUIRE(nearest.size() == 2);
  CHECK(nearest[0].feature == 1);
  CHECK(nearest[0].cosine == doctest::Approx(1));
  CHECK(nearest[1].feature == 2);
  CHECK(nearest[1].cosine == doctest::Approx(0.70710678));
  CHECK(near(0, 10).back().cosine == doctest::Approx(-1));
}

TEST_CASE("directions longer than a block of the sum are summed whole") {
  // Width 11: 8 + 3. Equal but for the last element's sign: 10 - 1 over 11.
  std::vector<float> directions(22, 1);
  directions[21] = -1;
  CHECK(saetap::nearest_of_all(directions, 2, 1).at(0).at(0).cosine == doctest::Approx(9.0 / 11));
}

TEST_CASE("a direction that is zero or not finite is near nothing") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> directions{1, 0, 0, 0, kNan, 1, 0, 1};
  const std::vector<std::uint32_t> wanted{0, 1};
  const auto near = saetap::nearest_of_some(directions, 4, wanted, 5);
  REQUIRE(near[0].size() == 1);
  CHECK(near[0][0].feature == 3);
  CHECK(near[1].empty());
  CHECK(near[3].empty());  // not asked for
  CHECK(saetap::nearest_of_some({}, 4, wanted, 5)[0].empty());
}

TEST_CASE("the commonest tokens come first, equal ones by id") {
  const std::vector<std::int32_t> tokens{7, 3, 7, 9, 3, 7, 1};
  using Counts = std::vector<saetap::TokenCount>;
  CHECK(saetap::commonest(tokens, 3) == Counts{{7, 3}, {3, 2}, {1, 1}});
  CHECK(saetap::commonest({}, 3).empty());
}

TEST_CASE("without a tokenizer a token is its id") {
  CHECK(saetap::token_text(412, nullptr) == "412");
}
