// Where a bit turns, against a search that looks at everything.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "plugin/trace/bit_fit.h"
#include "plugin/trace/bit_thresholds.h"
#include "tests/core/three_threads.h"

using namespace saetap;

namespace {

// All readings sorted: after each the bits that would be wrong, the middle of the best.
float threshold_by_sorting(const BitColumn& column) {
  std::vector<std::pair<float, bool>> readings;
  for (std::size_t i = 0; i < column.first.size(); ++i) {
    readings.emplace_back(column.first[i] - column.second[i], column.set[i] != 0);
  }
  std::sort(readings.begin(), readings.end());
  int wrong = 0, fewest = 0, first = -1, last = -1;
  const auto count = static_cast<int>(readings.size());
  for (int i = 0; i < count; ++i) {
    const auto& [value, set] = readings[static_cast<std::size_t>(i)];
    wrong += set ? 1 : -1;
    if (i + 1 < count && readings[static_cast<std::size_t>(i) + 1].first == value) continue;
    if (wrong < fewest) first = i;
    if (wrong <= fewest) last = i;
    fewest = std::min(fewest, wrong);
  }
  const auto middle = static_cast<std::size_t>(std::clamp((first + last) / 2, 0, count - 2));
  return readings[middle].first + (readings[middle + 1].first - readings[middle].first) / 2;
}

// Rows whose bit is set above 0.3, but for `mistaken` of a thousand, and blurred around it. `step`: what values are
// rounded to.
BitColumn column_of(int count, int mistaken, float blur, float step, std::mt19937& random) {
  std::normal_distribution<float> normal;
  BitColumn column;
  for (int i = 0; i < count; ++i) {
    const float value = std::round(normal(random) / step) * step;
    const bool set = value + blur * normal(random) > 0.3f;
    const bool mistake = static_cast<int>(random() % 1000) < mistaken;
    column.first.push_back(value + 1);
    column.second.push_back(1);
    column.set.push_back(set != mistake ? 1 : 0);
  }
  return column;
}

}  // namespace

TEST_CASE("the threshold of a bit is the one that sorting all readings gives") {
  std::mt19937 random(3);
  for (const int count : {2, 3, 64, 700, 4096}) {
    for (const int mistaken : {0, 20, 300, 1000}) {
      for (const float blur : {0.0f, 0.05f, 1.0f}) {
        for (const float step : {1e-3f, 0.25f, 100.0f}) {  // many alike, and all alike
          const auto column = column_of(count, mistaken, blur, step, random);
          BitTurn turn;
          fit_threshold(column, turn);
          CHECK(turn.threshold == threshold_by_sorting(column));
        }
      }
    }
  }
}

TEST_CASE("a threshold lies in the middle of the gap, one row far out or not") {
  BitColumn column{{1, 2, 3, 7, 8, 9}, {0, 0, 0, 0, 0, 0}, {0, 0, 0, 1, 1, 1}};
  BitTurn turn;
  for (const float farthest : {9.0f, 9e9f, 9e30f}) {
    column.first.back() = farthest;
    fit_threshold(column, turn);
    CHECK(turn.threshold == 5);
    CHECK(turn.gap == 2);
  }
}

TEST_CASE("the weights of a bit's dimensions are found from a wrong start") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  BitColumn column;
  for (int i = 0; i < 2000; ++i) {
    column.first.push_back(3 * normal(random));
    column.second.push_back(normal(random));
    column.set.push_back(column.first.back() / 3 - column.second.back() > 0.2f ? 1 : 0);
  }
  BitTurn turn{0.5f, 0.8f};
  fit_weights(column, turn);
  fit_threshold(column, turn);
  CHECK(turn.second_weight / turn.first_weight == doctest::Approx(3).epsilon(0.01));
  CHECK(std::hypot(turn.first_weight, turn.second_weight) == doctest::Approx(std::hypot(0.5, 0.8)));
  CHECK(turn.threshold / turn.second_weight == doctest::Approx(0.2).epsilon(0.02));
}

TEST_CASE("thresholds are the same however many threads fit them, and rows that are others do not move them") {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<MatchedRow> rows(600);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t b = 0; b < kSignatureBits; ++b) {
      rows[i].first[b] = normal(random) + 0.5f;
      rows[i].second[b] = normal(random);
      const bool set = rows[i].first[b] - rows[i].second[b] > 0.5f;
      if (i % 30 == 0 ? random() % 2 == 0 : set) rows[i].signature.set(static_cast<int>(b));
    }
  }
  for (const bool weighed : {false, true}) {
    const auto one = fit_thresholds(rows, weighed, BitThresholds(), serial_for);
    const auto three = fit_thresholds(rows, weighed, BitThresholds(), testing::three_threads);
    CHECK(one.threshold == three.threshold);
    CHECK(one.first_weight == three.first_weight);
    CHECK(one.zone == three.zone);
    for (std::size_t b = 0; b < kSignatureBits; ++b) CHECK(std::abs(one.threshold[b] - 0.5f) < 0.06f);
    CHECK(one.noise < 0.01);
  }
}
