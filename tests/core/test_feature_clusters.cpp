// Figures of clusters and what chance is made of, on what is small enough to be known.
#include <doctest/doctest.h>

#include <algorithm>

#include "integrations/analysis/cluster_figures.h"
#include "integrations/analysis/random_numbers.h"

TEST_CASE("where all are in one cluster there is no silhouette") {
  const std::vector<std::uint32_t> together{0, 0, 0}, features{4, 5, 9};
  saetap::ClusterFigures figures(together, 2);  // the second is empty
  for (std::size_t item = 0; item < 3; ++item) figures.add(item, std::vector<double>{1.5, 0});
  const saetap::FeatureClusters found = figures.take(features);
  REQUIRE(found.clusters.size() == 1);
  CHECK(found.clusters[0].tightness == doctest::Approx(0.75));
  CHECK(!found.clusters[0].silhouette);
  CHECK(found.quality.features == 3);
  CHECK(!found.quality.silhouette);
}

TEST_CASE("a silhouette is against the next cluster, however unlike it is") {
  // Two of cosine 0.5, and one that points away from both.
  const std::vector<std::uint32_t> cluster_of{0, 0, 1}, features{0, 1, 2};
  saetap::ClusterFigures figures(cluster_of, 2);
  figures.add(0, std::vector<double>{0.5, -1});
  figures.add(1, std::vector<double>{0.5, -0.5});
  figures.add(2, std::vector<double>{-1.5, 0});
  const saetap::FeatureClusters found = figures.take(features);
  REQUIRE(found.clusters.size() == 1);
  // Distances 0.5 inside, 2 and 1.5 outside.
  const double expected = (1.5 / 2 + 1 / 1.5) / 2;
  CHECK(found.clusters[0].silhouette.value_or(0) == doctest::Approx(expected));
  CHECK(found.quality.silhouette.value_or(0) == doctest::Approx(expected));
}

TEST_CASE("small weights after a large one are chosen as often as they should be") {
  constexpr std::size_t kSmall = std::size_t{1} << 20;
  std::vector<float> weights(kSmall + 1, 2.0f);
  weights[0] = 0x1p26f;
  const saetap::WeightedChoice choice(weights);
  saetap::RandomBits bits(1);
  std::size_t small = 0;
  for (int i = 0; i < 3300; ++i) small += choice.draw(bits) > 0 ? 1 : 0;
  // 2²¹ of 2²⁶ + 2²¹, a 33rd: 100 ± 10.
  CHECK(small > 50);
  CHECK(small < 150);
}
