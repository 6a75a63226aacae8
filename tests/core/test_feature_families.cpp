// Families on directions whose cosines are known.
#include <doctest/doctest.h>

#include <cmath>

#include "integrations/analysis/feature_families.h"
#include "integrations/analysis/similar_features.h"

using saetap::FeatureFamily;
using saetap::Neighbor;

namespace {

// Directions of the plane by their angles: the cosine of two is that of the difference.
struct Plane {
  explicit Plane(std::vector<double> degrees) {
    for (const double angle : degrees) {
      radians.push_back(angle * std::acos(-1.0) / 180);
      directions.push_back(static_cast<float>(3 * std::cos(radians.back())));
      directions.push_back(static_cast<float>(3 * std::sin(radians.back())));
    }
  }
  [[nodiscard]] std::vector<FeatureFamily> families() const {
    const auto nearest = saetap::nearest_of_all(directions, static_cast<std::int64_t>(radians.size()), 9);
    return saetap::feature_families(nearest, directions);
  }
  std::vector<double> radians;
  std::vector<float> directions;
};

}  // namespace

TEST_CASE("every two of a family are alike, a chain of neighbours is no family") {
  // cos 60° is 0.5: 0, 25 and 50 are one; 100 is within 60° of 50 alone.
  const auto families = Plane({0, 100, 25, 50, 200}).families();
  REQUIRE(families.size() == 1);
  CHECK(families[0].features == std::vector<std::uint32_t>{0, 2, 3});
  CHECK(families[0].lowest_cosine == doctest::Approx(std::cos(50 * std::acos(-1.0) / 180)));
  const double mean = (2 * std::cos(25 * std::acos(-1.0) / 180) + std::cos(50 * std::acos(-1.0) / 180)) / 3;
  CHECK(families[0].mean_cosine == doctest::Approx(mean));
}

TEST_CASE("the largest family comes first, then the most alike") {
  const auto families = Plane({0, 100, 101, 1, 2, 200, 210}).families();
  REQUIRE(families.size() == 3);
  CHECK(families[0].features == std::vector<std::uint32_t>{0, 3, 4});
  CHECK(families[1].features == std::vector<std::uint32_t>{1, 2});
  CHECK(families[2].features == std::vector<std::uint32_t>{5, 6});
}

TEST_CASE("a family has a bound, and what has no direction is in none") {
  const std::vector<float> same(2 * 200, 1.0f);
  std::vector<std::vector<Neighbor>> nearest(200);
  for (std::uint32_t feature = 0; feature < 200; ++feature) {
    for (std::uint32_t other = 0; other < 200; ++other) {
      if (other != feature) nearest[feature].push_back({other, 1.0});
    }
  }
  std::size_t members = 0;
  for (const FeatureFamily& family : saetap::feature_families(nearest, same)) {
    CHECK(family.features.size() <= saetap::kLargestFamily);
    members += family.features.size();
  }
  CHECK(members == 200);
  CHECK(saetap::feature_families({}, {}).empty());
  CHECK(Plane({10}).families().empty());
}
