// A code kept as pairs scans to what the same code scans to when it is written out.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "plugin/scan/batch_scan.h"

using namespace saetap;

namespace {

struct Code {
  std::int64_t rows, features, per_row;
  std::vector<float> dense;
  std::vector<float> values;
  std::vector<std::int64_t> indices;
};

// Distinct features in each row; some values are 0, negative or not finite.
Code random_code(std::mt19937& random) {
  Code code{1 + std::int64_t(random() % 20), 1 + std::int64_t(random() % 300), 0, {}, {}, {}};
  code.per_row = 1 + std::int64_t(random()) % code.features;
  code.dense.assign(static_cast<std::size_t>(code.rows * code.features), 0);
  std::vector<std::int64_t> order(static_cast<std::size_t>(code.features));
  for (std::int64_t row = 0; row < code.rows; ++row) {
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    std::shuffle(order.begin(), order.end(), random);
    for (std::int64_t k = 0; k < code.per_row; ++k) {
      const auto feature = order[static_cast<std::size_t>(k)];
      const auto kind = random() % 12;
      const float value = kind == 0   ? 0
                          : kind == 1 ? std::numeric_limits<float>::quiet_NaN()
                          : kind == 2 ? std::numeric_limits<float>::infinity()
                                      : static_cast<float>(random() % 2000) / 256 - 1;
      code.values.push_back(value);
      code.indices.push_back(feature);
      code.dense[static_cast<std::size_t>(row * code.features + feature)] = value;
    }
  }
  return code;
}

bool same(const Candidate& a, const Candidate& b) {
  return a.row == b.row && a.feature == b.feature && a.activation == b.activation;
}

std::vector<Candidate> ordered(std::vector<Candidate> candidates) {
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::pair(a.row, a.feature) < std::pair(b.row, b.feature);
  });
  return candidates;
}

}  // namespace

TEST_CASE("pairs and the same code written out give the same sums and candidates") {
  std::mt19937 random(17);
  for (int turn = 0; turn < 300; ++turn) {
    const auto code = random_code(random);
    std::vector<std::uint8_t> eligible(static_cast<std::size_t>(code.rows));
    for (auto& row : eligible) row = random() % 4 != 0;
    std::vector<float> bars(static_cast<std::size_t>(code.features));
    for (auto& bar : bars) bar = static_cast<float>(random() % 800) / 256;
    const FeatureRange range{std::int64_t(random()) % code.features, code.features};

    std::vector<FeatureSums> of_dense(bars.size()), of_pairs(bars.size());
    RangeScan dense, pairs;
    const ScanRequest request{.eligible = eligible.data(), .bars = bars.data()};
    scan_features(DenseActivations{code.dense.data(), code.rows, code.features, code.features}, range, request,
                  of_dense.data(), dense);
    scan_features(PairActivations{code.values.data(), code.indices.data(), code.rows, code.per_row}, range, request,
                  of_pairs.data(), pairs);
    for (auto f = static_cast<std::size_t>(range.first); f < bars.size(); ++f) {
      CHECK(of_pairs[f].sum == of_dense[f].sum);
      CHECK(of_pairs[f].sum_of_squares == of_dense[f].sum_of_squares);
      CHECK(of_pairs[f].max == of_dense[f].max);
      CHECK(of_pairs[f].active == of_dense[f].active);
      CHECK(of_pairs[f].nonfinite == of_dense[f].nonfinite);
      CHECK(of_pairs[f].negative == of_dense[f].negative);
    }
    const auto one = ordered(dense.candidates), other = ordered(pairs.candidates);
    REQUIRE(one.size() == other.size());
    CHECK(std::equal(one.begin(), one.end(), other.begin(), same));
  }
}

TEST_CASE("a pair that names no feature of the code is passed over") {
  const std::vector<float> values{1, 2, 3};
  const std::vector<std::int64_t> indices{-1, 4, 1};
  std::vector<FeatureSums> sums(4);
  RangeScan found;
  const std::vector<float> bars(4, 0.5f);
  scan_features(PairActivations{values.data(), indices.data(), 1, 3}, {0, 4}, {.bars = bars.data()}, sums.data(),
                found);
  const auto& candidates = found.candidates;
  REQUIRE(candidates.size() == 1);
  CHECK(candidates[0].feature == 1);
  CHECK(candidates[0].activation == 3);
}
