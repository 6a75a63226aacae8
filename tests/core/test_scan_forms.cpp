// Every form, number format, stride and set of instructions of the scan against a plain loop over the numbers.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <thread>
#include <tuple>

#include "plugin/scan/activation_histogram.h"
#include "plugin/scan/vector_kernel.h"

using namespace saetap;

namespace {

// The float of a half by its definition, in double arithmetic.
double half_value(std::uint16_t bits) {
  const int sign = (bits & 0x8000) != 0 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return fraction != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

struct Numbers {
  ScalarKind kind;
  std::vector<unsigned char> bytes;
  std::vector<float> meant;

  explicit Numbers(ScalarKind of) : kind(of) {}
  [[nodiscard]] std::size_t width() const {
    return kind == ScalarKind::float64 ? 8 : kind == ScalarKind::float32 ? 4 : 2;
  }
  template <typename T>
  void append(T stored, double value) {
    const auto at = bytes.size();
    bytes.resize(at + sizeof stored);
    std::memcpy(bytes.data() + at, &stored, sizeof stored);
    meant.push_back(static_cast<float>(value));
  }
  void add_random(std::mt19937& random, bool zero) {
    const bool odd = random() % 40 == 0;
    switch (kind) {
      case ScalarKind::float32: {
        const float odd_ones[]{std::nanf(""), INFINITY, -INFINITY, 1e-42f, 3e38f, -1e-7f, -0.0f};
        const float value = zero ? 0 : odd ? odd_ones[random() % 7] : static_cast<float>(random() % 4000) / 256 - 5;
        return append(value, value);
      }
      case ScalarKind::float64: {
        const double odd_ones[]{std::nan(""), INFINITY, 1e300, 1e-300, -0.0, 1e-42};
        const double value = zero ? 0 : odd ? odd_ones[random() % 6] : static_cast<double>(random() % 4000) / 300 - 5;
        return append(value, value);
      }
      case ScalarKind::bfloat16: {
        const auto bits = static_cast<std::uint16_t>(zero ? 0 : odd ? random() : 0x3C00 + random() % 0x600);
        float value;
        const std::uint32_t wide = std::uint32_t{bits} << 16;
        std::memcpy(&value, &wide, sizeof value);
        return append(bits, value);
      }
      case ScalarKind::float16: {
        const auto bits = static_cast<std::uint16_t>(zero ? 0 : odd ? random() : 0x3000 + random() % 0x1800);
        return append(bits, half_value(bits));
      }
    }
  }
};

using Found = std::vector<std::tuple<std::uint32_t, std::uint32_t, float>>;
using Bins = std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t>;

struct Expected {
  std::vector<FeatureSums> sums;
  Found candidates;
  Bins bins;
};

// By logarithms; the values used lie away from the edges of bins, or on whole powers of two.
std::uint32_t bin_by_logarithm(double magnitude) {
  return static_cast<std::uint32_t>(std::floor(std::log2(magnitude) * 4 + 1e-9) + 127 * 4);
}

struct Case {
  std::int64_t rows, features;
  std::vector<float> meant;  // [rows, features]
  std::vector<std::uint8_t> eligible;
  std::vector<float> bars;
  std::vector<std::uint32_t> hash_bars, row_hashes;
  ScanRequest request;
  FeatureRange range;

  Case(std::mt19937& random, std::int64_t n, std::int64_t f) : rows(n), features(f) {
    for (std::int64_t row = 0; row < n; ++row) {
      eligible.push_back(random() % 5 != 0);
      row_hashes.push_back(static_cast<std::uint32_t>(random()));
    }
    for (std::int64_t i = 0; i < f; ++i) {
      bars.push_back(static_cast<float>(random() % 3000) / 256);
      hash_bars.push_back(random() % 3 == 0 ? 0xFFFFFFFFu : static_cast<std::uint32_t>(random()) / 8);
    }
    if (random() % 3 != 0) request.eligible = eligible.data();
    if (random() % 3 != 0) request.bars = bars.data();
    if (random() % 3 != 0) request.hash_bars = hash_bars.data();
    request.row_hashes = row_hashes.data();
    range.first = static_cast<std::int64_t>(random()) % f;
    range.last = range.first + static_cast<std::int64_t>(random()) % (f - range.first + 1);
  }

  [[nodiscard]] Expected expected() const {
    Expected result{std::vector<FeatureSums>(static_cast<std::size_t>(features)), {}, {}};
    for (std::int64_t row = 0; row < rows; ++row) {
      if (request.eligible != nullptr && eligible[static_cast<std::size_t>(row)] == 0) continue;
      for (auto f = range.first; f < range.last; ++f) take(result, row, f);
    }
    std::sort(result.candidates.begin(), result.candidates.end());
    return result;
  }

  void take(Expected& result, std::int64_t row, std::int64_t f) const {
    const float value = meant[static_cast<std::size_t>(row * features + f)];
    auto& sums = result.sums[static_cast<std::size_t>(f)];
    if (value == 0) return;
    if (!std::isfinite(value)) {
      ++sums.nonfinite;
      return;
    }
    sums.sum += double{value};
    sums.sum_of_squares += double{value} * double{value};
    ++sums.active;
    sums.negative += value < 0;
    if (std::fabs(value) > std::fabs(sums.max) || (std::fabs(value) == std::fabs(sums.max) && value > 0))
      sums.max = value;
    const auto feature = static_cast<std::uint32_t>(f);
    if (std::fabs(value) >= 1e-37f) ++result.bins[{feature, bin_by_logarithm(std::fabs(value))}];
    const bool by_bar = request.bars != nullptr && std::fabs(value) >= bars[feature];
    const bool by_hash =
        request.hash_bars != nullptr && row_hashes[static_cast<std::size_t>(row)] <= hash_bars[feature];
    if (by_bar || by_hash) result.candidates.emplace_back(static_cast<std::uint32_t>(row), feature, value);
  }
};

void check(const Case& of, const Activations& activations, const Expected& expected) {
  for (const auto target : vector_targets()) {
    std::vector<FeatureSums> sums(static_cast<std::size_t>(of.features), FeatureSums{9, 9, 9, 9, 9, 9});
    RangeScan found;
    scan_features(target, activations, of.range, of.request, sums.data(), found);
    for (auto f = static_cast<std::size_t>(of.range.first); f < static_cast<std::size_t>(of.range.last); ++f) {
      const auto& want = expected.sums[f];
      REQUIRE(std::tuple(sums[f].sum, sums[f].sum_of_squares, sums[f].max, sums[f].active, sums[f].nonfinite,
                         sums[f].negative) ==
              std::tuple(want.sum, want.sum_of_squares, want.max, want.active, want.nonfinite, want.negative));
    }
    for (std::size_t f = 0; f < sums.size(); ++f) {
      const bool outside =
          static_cast<std::int64_t>(f) < of.range.first || static_cast<std::int64_t>(f) >= of.range.last;
      if (outside) REQUIRE(sums[f].active == 9);
    }
    Found candidates;
    for (const auto& one : found.candidates) candidates.emplace_back(one.row, one.feature, one.activation);
    std::sort(candidates.begin(), candidates.end());
    REQUIRE(candidates == expected.candidates);
    Bins bins;
    for (const auto& one : found.histogram) {
      if (bin_middle(one.bin) >= 1e-37f) bins[{one.feature, one.bin}] += one.count;
    }
    REQUIRE(bins == expected.bins);
  }
}

constexpr ScalarKind kKinds[]{ScalarKind::float32, ScalarKind::float64, ScalarKind::bfloat16, ScalarKind::float16};

}  // namespace

TEST_CASE("dense activations of every number format and stride scan to what a plain loop finds") {
  std::mt19937 random(21);
  for (int turn = 0; turn < 1500; ++turn) {
    const auto kind = kKinds[turn % 4];
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random()) % 90;
    const std::int64_t features = 1 + static_cast<std::int64_t>(random()) % (turn % 50 == 0 ? 2500 : 260);
    Case one(random, rows, features);
    // Rows apart, features apart, or the other way round (a transposed tensor).
    const std::int64_t gap = 1 + static_cast<std::int64_t>(random()) % 3;
    const bool transposed = random() % 3 == 0;
    const std::int64_t feature_stride = transposed ? rows * gap : random() % 3 == 0 ? gap : 1;
    const std::int64_t row_stride =
        transposed ? gap : features * feature_stride + static_cast<std::int64_t>(random()) % 9;
    DenseActivations view{nullptr, rows, features, row_stride, feature_stride, kind};
    if (random() % 3 == 0) {
      view.rows_of_block = 1 + static_cast<std::int64_t>(random()) % rows;
      view.block_stride = view.rows_of_block * row_stride * (transposed ? features * rows : 1) +
                          static_cast<std::int64_t>(random()) % 9;
    }
    const auto room = static_cast<std::size_t>(view.offset(rows - 1) + (view.rows_of_block + 1) * row_stride +
                                               (features - 1) * feature_stride + 1);
    Numbers numbers(kind);
    const unsigned every = 1 + random() % 40;
    for (std::size_t i = 0; i < room; ++i) numbers.add_random(random, random() % every != 0);
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t f = 0; f < features; ++f) {
        one.meant.push_back(numbers.meant[static_cast<std::size_t>(view.offset(row) + f * feature_stride)]);
      }
    }
    view.values = numbers.bytes.data();
    check(one, view, one.expected());
  }
}

TEST_CASE("pairs and rows of a sparse matrix scan to what a plain loop over the code written out finds") {
  std::mt19937 random(22);
  for (int turn = 0; turn < 1000; ++turn) {
    const auto kind = kKinds[turn % 4];
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random()) % 40;
    const std::int64_t features = 1 + static_cast<std::int64_t>(random()) % 300;
    Case one(random, rows, features);
    one.meant.assign(static_cast<std::size_t>(rows * features), 0);
    const bool pairs = random() % 2 == 0;
    const auto per_row = std::min<std::int64_t>(features, static_cast<std::int64_t>(random() % 70));
    Numbers numbers(kind);
    std::vector<std::int64_t> wide, starts{0};
    std::vector<std::int64_t> order(static_cast<std::size_t>(features));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    for (std::int64_t row = 0; row < rows; ++row) {
      std::shuffle(order.begin(), order.end(), random);
      const auto count = pairs ? per_row : static_cast<std::int64_t>(random()) % (per_row + 1);
      for (std::int64_t i = 0; i < count; ++i) {
        numbers.add_random(random, random() % 8 == 0);
        wide.push_back(order[static_cast<std::size_t>(i)]);
        one.meant[static_cast<std::size_t>(row * features + wide.back())] = numbers.meant.back();
      }
      starts.push_back(static_cast<std::int64_t>(wide.size()));
    }
    const std::vector<std::int32_t> narrow(wide.begin(), wide.end()), narrow_starts(starts.begin(), starts.end());
    const bool is_narrow = random() % 2 == 0;
    const void* indices = is_narrow ? static_cast<const void*>(narrow.data()) : wide.data();
    const auto index_kind = is_narrow ? IndexKind::int32 : IndexKind::int64;
    if (pairs) {
      check(one, PairActivations{numbers.bytes.data(), indices, rows, per_row, kind, index_kind}, one.expected());
    } else {
      const void* row_starts = is_narrow ? static_cast<const void*>(narrow_starts.data()) : starts.data();
      check(one, SparseActivations{numbers.bytes.data(), indices, row_starts, rows, kind, index_kind}, one.expected());
    }
  }
}

TEST_CASE("threads that scan disjoint ranges at once find what one finds") {
  constexpr std::int64_t kRows = 300, kWidth = 3000;
  std::mt19937 random(23);
  std::vector<float> values(kRows * kWidth);
  for (auto& value : values) value = random() % 9 == 0 ? static_cast<float>(random() % 1000) / 100 : 0.0f;
  const std::vector<float> bars(kWidth, 9.5f);
  const DenseActivations view{values.data(), kRows, kWidth, kWidth};
  std::vector<FeatureSums> expected(kWidth);
  RangeScan whole;
  scan_features(view, {0, kWidth}, {.bars = bars.data()}, expected.data(), whole);
  // Twice on the same threads: what they keep for themselves must be as it was.
  std::vector<FeatureSums> sums(kWidth);
  std::vector<RangeScan> found(4);
  std::vector<std::thread> threads;
  for (std::int64_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int turn = 0; turn < 2; ++turn) {
        scan_features(view, {kWidth * thread / 4, kWidth * (thread + 1) / 4}, {.bars = bars.data()}, sums.data(),
                      found[static_cast<std::size_t>(thread)]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::size_t candidates = 0;
  std::map<std::pair<std::uint32_t, std::uint16_t>, int> bins, expected_bins;
  for (const auto& range : found) {
    candidates += range.candidates.size();
    for (const auto& one : range.histogram) bins[{one.feature, one.bin}] += one.count;
  }
  for (const auto& one : whole.histogram) expected_bins[{one.feature, one.bin}] += one.count;
  CHECK(candidates == whole.candidates.size());
  CHECK(bins == expected_bins);
  for (std::size_t f = 0; f < kWidth; ++f) {
    REQUIRE(sums[f].sum == expected[f].sum);
    REQUIRE(sums[f].active == expected[f].active);
    REQUIRE(sums[f].max == expected[f].max);
  }
}

TEST_CASE("more rows than a bin of the histogram counts to are all counted") {
  const std::int64_t rows = 150000;
  const std::vector<float> ones(static_cast<std::size_t>(rows), 1.0f);
  std::vector<FeatureSums> sums(1);
  RangeScan found;
  scan_features(DenseActivations{ones.data(), rows, 1, 1}, {0, 1}, {}, sums.data(), found);
  std::uint64_t counted = 0;
  for (const auto& one : found.histogram) counted += one.bin == 127 * 4 ? one.count : 0;
  CHECK(counted == 150000);
  CHECK(sums[0].active == 150000);
}

TEST_CASE("quantiles of the histogram lie within their error of those of the sorted values") {
  std::mt19937 random(23);
  for (int turn = 0; turn < 50; ++turn) {
    std::lognormal_distribution<float> values(static_cast<float>(turn) / 5 - 5, 1.5f);
    std::vector<float> sorted;
    ActivationHistogram histogram, half, other;
    for (int i = 0; i < 3000; ++i) {
      sorted.push_back(values(random));
      histogram.add(histogram_bin(sorted.back()), 1);
      (i % 3 == 0 ? half : other).add(histogram_bin(sorted.back()), 1);
    }
    half.add(other);
    CHECK(half == histogram);
    CHECK(histogram.total() == 3000);
    CHECK(ActivationHistogram::of(histogram.first(), histogram.counts()) == histogram);
    std::sort(sorted.begin(), sorted.end());
    for (const double share : {0.01, 0.1, 0.5, 0.9, 0.99, 1.0}) {
      const auto exact = sorted[static_cast<std::size_t>(std::max(0.0, std::ceil(share * 3000) - 1))];
      CHECK(std::fabs(histogram.quantile(share) / exact - 1) <= kQuantileError + 1e-3);
    }
  }
  CHECK(ActivationHistogram().quantile(0.5) == 0);
}
