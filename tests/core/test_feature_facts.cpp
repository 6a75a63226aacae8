// The parts of a feature's page that need no store; expected values worked out by hand.
#include <doctest/doctest.h>

#include <limits>

#include "integrations/analysis/direction_tokens.h"
#include "integrations/analysis/feature_pair.h"
#include "integrations/analysis/sample_age.h"
#include "integrations/analysis/strength_groups.h"
#include "plugin/collect/random_table.h"

using saetap::Sample;

namespace {

Sample sample(std::uint32_t position, float activation, std::uint32_t step = 0) {
  return {.sequence = 1, .activation = activation, .position = position, .step = step};
}

std::vector<float> strengths(const saetap::StrengthGroup& group) {
  std::vector<float> values;
  for (const Sample& one : group.samples) values.push_back(one.activation);
  return values;
}

}  // namespace

TEST_CASE("groups are equal shares of the samples, strongest first, each in the order given") {
  std::vector<Sample> samples;
  for (const float activation : {3.0f, 9.0f, -8.0f, 1.0f, 5.0f, 2.0f, 7.0f, 4.0f, 6.0f}) {
    samples.push_back(sample(static_cast<std::uint32_t>(samples.size()), activation));
  }
  const auto groups = saetap::strength_groups(samples, 2);
  REQUIRE(groups.size() == 2);
  CHECK(strengths(groups[0]) == std::vector<float>{9, -8, 7, 6});
  CHECK(groups[0].strongest == 9);
  CHECK(groups[0].weakest == 6);
  CHECK(strengths(groups[1]) == std::vector<float>{3, 1, 5, 2, 4});
  CHECK(saetap::strength_groups(samples, 5).size() == 2);  // four are a group at least
  CHECK(saetap::strength_groups(std::span(samples).first(3), 5).size() == 1);
  CHECK(saetap::strength_groups({}, 5).empty());
  CHECK(saetap::strength_groups(samples, 0).empty());
}

TEST_CASE("the age of samples is told by the parts of the run that they are of") {
  using saetap::PartKind;
  const std::vector<saetap::StoredWindow> windows{{std::nullopt, {0, 0, 50}, 0, 49, 50},
                                                  {PartKind::past, {0, 0, 50}, 0, 49, 50},
                                                  {PartKind::closed, {1, 50, 90}, 50, 89, 40},
                                                  {PartKind::open, {2, 90, 140}, 90, 99, 10}};
  const std::vector<Sample> samples{sample(0, 9, 95), sample(1, 8, 60), sample(2, 7, 61), sample(3, 6, 10)};
  const auto age = saetap::age_of(samples, windows, /*all_time=*/true);
  REQUIRE(age);
  CHECK(age->first_step == 10);
  CHECK(age->median_step == 61);
  CHECK(age->last_step == 95);
  REQUIRE(age->parts.size() == 3);
  CHECK(age->parts[0].part == PartKind::open);
  CHECK(age->parts[0].newest == doctest::Approx(0.1));
  CHECK(age->parts[0].samples == 1);
  CHECK(age->parts[1].newest == doctest::Approx(0.5));
  CHECK(age->parts[1].samples == 2);
  CHECK(age->parts[2].newest == 1);
  CHECK(age->parts[2].samples == 1);
  CHECK(saetap::age_of(samples, windows, false)->parts.size() == 2);
  CHECK_FALSE(saetap::age_of({}, windows, true));
}

TEST_CASE("an unembedding is read by rows or by columns, and what is no number is left out") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<std::vector<float>> rows{{1, 0}, {0, 1}, {kNan, 0}, {-2, 1}};
  const auto by = [](const std::vector<std::vector<float>>& matrix) {
    return saetap::Unembedding{.rows = matrix.size(),
                               .columns = matrix[0].size(),
                               .read = [&matrix](std::size_t row, std::span<float> values) {
                                 std::copy(matrix[row].begin(), matrix[row].end(), values.begin());
                               }};
  };
  const std::vector<std::vector<float>> columns{{1, 0, kNan, -2}, {0, 1, 0, 1}};
  const std::vector<float> direction{2, 1};
  for (const auto& matrix : {rows, columns}) {
    const auto found = saetap::direction_tokens(direction, by(matrix), 2);
    CHECK(found.vocabulary == 4);
    CHECK(found.promoted == std::vector<saetap::DirectionToken>{{0, 2}, {1, 1}});
    CHECK(found.suppressed == std::vector<saetap::DirectionToken>{{3, -3}, {1, 1}});
  }
  CHECK_THROWS_AS(static_cast<void>(saetap::direction_tokens(std::vector<float>{1, 2, 3}, by(rows), 2)),
                  std::invalid_argument);
}

TEST_CASE("which of two features are active is only asked of places that both random samples reach") {
  // Forty places; the first feature is active at all of them, the second at every other one, and keeps four.
  std::vector<Sample> all;
  for (std::uint32_t i = 0; i < 40; ++i) all.push_back(sample(i, static_cast<float>(i + 1)));
  std::sort(all.begin(), all.end(), saetap::before_by_hash);
  saetap::ComparedFeature first, second;
  first.facts.random_samples = all;
  first.all_at_random = true;
  std::size_t reach = 0;
  for (std::size_t i = 0; second.facts.random_samples.size() < 4; ++i) {
    if (all[i].position % 2 == 0) second.facts.random_samples.push_back(all[i]);
    reach = i + 1;
  }
  const saetap::SharedActivity activity = saetap::pair_of(first, second).activity;
  CHECK(activity.both == 4);
  CHECK(activity.second == 4);
  CHECK(activity.first == reach);
  CHECK(activity.either == reach);
  // One that keeps all it has is asked everywhere.
  second.all_at_random = true;
  CHECK(saetap::pair_of(first, second).activity.either == 40);
  CHECK_FALSE(saetap::pair_of(first, second).cosine);
}
