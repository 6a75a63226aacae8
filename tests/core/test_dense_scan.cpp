#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "plugin/scan/batch_scan.h"

using namespace saetap;

namespace {

struct Scanned {
  std::vector<FeatureSums> sums;
  std::vector<Candidate> candidates;
};

Scanned scan(const std::vector<float>& values, std::int64_t rows, std::int64_t features, std::int64_t stride,
             const std::vector<float>& bars, const std::vector<std::uint8_t>& eligible = {}) {
  Scanned scanned;
  scanned.sums.resize(static_cast<std::size_t>(features));
  RangeScan found;
  scan_features(DenseActivations{values.data(), rows, features, stride}, {0, features},
                {.eligible = eligible.empty() ? nullptr : eligible.data(), .bars = bars.data()}, scanned.sums.data(),
                found);
  scanned.candidates = found.candidates;
  return scanned;
}

}  // namespace

TEST_CASE("every kind of value is counted as what it is, wherever it stands in a block") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> kinds{0.0f,           -0.0f,     2.0f,       -3.0f,  std::nanf(""),
                                 -std::nanf(""), kInfinity, -kInfinity, 1e-45f, std::numeric_limits<float>::max()};
  for (std::int64_t features : {1, 15, 16, 63, 64, 65, 129, 200}) {
    for (std::int64_t at = 0; at<features; at += features> 64 ? 7 : 1) {
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        std::vector<float> values(static_cast<std::size_t>(features));
        values[static_cast<std::size_t>(at)] = kinds[kind];
        const Scanned scanned = scan(values, 1, features, features, std::vector<float>(values.size(), 2.0f));
        const FeatureSums& sums = scanned.sums[static_cast<std::size_t>(at)];
        const bool active = kind == 2 || kind == 3 || kind == 8 || kind == 9;
        REQUIRE(sums.active == (active ? 1 : 0));
        REQUIRE(sums.negative == (kind == 3 ? 1 : 0));
        REQUIRE(sums.nonfinite == (kind >= 4 && kind <= 7 ? 1 : 0));
        REQUIRE(sums.sum == (active ? static_cast<double>(kinds[kind]) : 0));
        REQUIRE(scanned.candidates.size() == (kind == 2 || kind == 3 || kind == 9 ? 1 : 0));
      }
    }
  }
}

TEST_CASE("rows that are not eligible and columns outside the range do not count") {
  // Rows of 3 features in a stride of 5; the two columns behind are another tensor's.
  const std::vector<float> values{1, 0, 2, 9, 9, 4, 5, 6, 9, 9, 3, 0, 1, 9, 9};
  const Scanned scanned = scan(values, 3, 3, 5, {3, 3, 3}, {1, 0, 1});
  CHECK(scanned.sums[0].sum == 4);
  CHECK(scanned.sums[0].sum_of_squares == 10);
  CHECK(scanned.sums[0].max == 3);
  CHECK(scanned.sums[1].active == 0);
  CHECK(scanned.sums[2].sum == 3);
  REQUIRE(scanned.candidates.size() == 1);
  CHECK(scanned.candidates[0].row == 2);
  CHECK(scanned.candidates[0].feature == 0);
  CHECK(scanned.candidates[0].activation == 3);
}

TEST_CASE("without bars there are sums and no candidates") {
  const std::vector<float> values{1, 0, 2};
  std::vector<FeatureSums> sums(3);
  RangeScan found;
  scan_features(DenseActivations{values.data(), 1, 3, 3}, {0, 3}, {}, sums.data(), found);
  CHECK(found.candidates.empty());
  CHECK(sums[2].sum == 2);
}

TEST_CASE("a scan in pieces equals the plain loop over all values") {
  std::mt19937 random(7);
  const std::int64_t rows = 37;
  const std::int64_t features = 301;
  std::vector<float> values(static_cast<std::size_t>(rows * features));
  for (float& value : values) {
    if (random() % 20 == 0) value = static_cast<float>(random() % 64) / 8.0f;
  }
  const std::vector<float> bars(static_cast<std::size_t>(features), 4.0f);
  std::vector<FeatureSums> sums(static_cast<std::size_t>(features), FeatureSums{99, 99, 99, 99, 99, 99});
  std::vector<Candidate> candidates;
  for (const auto& [first, last] : std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 10}, {10, 150}, {150, 301}}) {
    RangeScan found;
    scan_features(DenseActivations{values.data(), rows, features, features}, {first, last}, {.bars = bars.data()},
                  sums.data(), found);
    candidates.insert(candidates.end(), found.candidates.begin(), found.candidates.end());
  }
  std::size_t expected_candidates = 0;
  for (std::int64_t feature = 0; feature < features; ++feature) {
    double sum = 0;
    std::uint32_t active = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const float value = values[static_cast<std::size_t>(row * features + feature)];
      sum += value;
      active += value > 0 ? 1 : 0;
      expected_candidates += value >= 4 ? 1 : 0;
    }
    REQUIRE(sums[static_cast<std::size_t>(feature)].sum == sum);
    REQUIRE(sums[static_cast<std::size_t>(feature)].active == active);
  }
  CHECK(candidates.size() == expected_candidates);
}
