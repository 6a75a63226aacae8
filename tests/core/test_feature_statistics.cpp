#include <doctest/doctest.h>

#include "plugin/collect/feature_statistics.h"

using namespace saetap;

// 2, 4, 4, 4, 5, 5, 7, 9: the textbook example of a standard deviation of 2 around a mean of 5.
TEST_CASE("statistics of the active values") {
  FeatureStatistics statistics;
  statistics.add(FeatureSums{2 + 4 + 4 + 4, 4 + 16 + 16 + 16, 4, 4, 1, 2});
  statistics.add(FeatureSums{5 + 5 + 7 + 9, 25 + 25 + 49 + 81, 9, 4, 0, 3});
  CHECK(statistics == FeatureStatistics{8, 40, 232, 9, 1, 5});
  CHECK(statistics.mean() == 5);
  CHECK(statistics.standard_deviation() == 2);
  CHECK(statistics.density(32) == 0.25);
}

TEST_CASE("a feature that was never active has statistics of zero") {
  const FeatureStatistics none;
  CHECK(none.mean() == 0);
  CHECK(none.standard_deviation() == 0);
  CHECK(none.density(0) == 0);
}

TEST_CASE("equal values have no deviation, not the root of a negative rounding error") {
  FeatureStatistics statistics;
  const double value = 0.1f;
  for (int i = 0; i < 1000; ++i) statistics.add(FeatureSums{value, value * value, 0.1f, 1, 0, 0});
  CHECK(statistics.standard_deviation() < 1e-6);
}
