// Each rule with features that it has to find and others that look a little like them;
// tests/analysis/test_suspicious.py holds the p-values against SciPy's.
#include <doctest/doctest.h>

#include <random>

#include "integrations/analysis/discoveries.h"
#include "integrations/analysis/suspicious_features.h"

using saetap::FeatureStatistics;
using saetap::Neighbor;
using saetap::Suspicion;
using saetap::SuspiciousFeature;
using saetap::WindowActivity;

namespace {

using Features = std::vector<std::uint32_t>;

Features numbers_of(const Suspicion& found) {
  Features features;
  for (const SuspiciousFeature& one : found.features) features.push_back(one.feature);
  return features;
}

FeatureStatistics active(std::uint64_t times, std::uint64_t nonfinite = 0, std::uint64_t negative = 0) {
  FeatureStatistics statistics;
  statistics.active = times;
  statistics.nonfinite = nonfinite;
  statistics.negative = negative;
  return statistics;
}

template <typename Value>
class Drawn {
 public:
  void add(std::vector<Value> values) { lists_.push_back(std::move(values)); }
  [[nodiscard]] std::vector<std::span<const Value>> spans() const { return {lists_.begin(), lists_.end()}; }

 private:
  std::vector<std::vector<Value>> lists_;
};

WindowActivity window(std::uint64_t first_step, std::vector<std::uint64_t> active_tokens) {
  return {.first_step = first_step, .last_step = first_step + 9, .eligible = 1000, .active = std::move(active_tokens)};
}

// 200 features with 64 places anywhere in texts of 100 tokens: what the planted ones are held against.
Drawn<std::uint32_t> anywhere(std::mt19937& random) {
  Drawn<std::uint32_t> drawn;
  for (int feature = 0; feature < 200; ++feature) {
    std::vector<std::uint32_t> positions(64);
    for (auto& position : positions) position = random() % 100;
    drawn.add(positions);
  }
  return drawn;
}

}  // namespace

TEST_CASE("dense are those above one token in ten, the densest first") {
  const std::vector<FeatureStatistics> statistics{active(100), active(101), active(0), active(900)};
  const Suspicion found = saetap::dense_features(statistics, 1000);
  CHECK(found.judged == 4);
  CHECK(numbers_of(found) == Features{3, 1});
  CHECK(found.features.front().count == 900);
  CHECK(found.features.front().of == 1000);
  CHECK(saetap::dense_features(statistics, 0).features.empty());
}

TEST_CASE("never active, not finite and negative are counted") {
  const std::vector<FeatureStatistics> statistics{active(0), active(5, 2), active(9, 0, 3), active(0, 7)};
  CHECK(numbers_of(saetap::never_active(statistics, 100)) == Features{0, 3});
  CHECK(numbers_of(saetap::with_nonfinite(statistics)) == Features{3, 1});
  const Suspicion negative = saetap::with_negative(statistics);
  CHECK(negative.judged == 2);
  CHECK(numbers_of(negative) == Features{2});
  CHECK(negative.features.front().of == 9);
}

TEST_CASE("a feature died if it was active before and should have been since") {
  // 10,000 tokens, the last 2,000 recent: 200 before would make 50 of them, 60 would make 15, which is too few.
  const std::vector<FeatureStatistics> all{active(200), active(60), active(200), active(0), active(2)};
  const std::vector<FeatureStatistics> recent{active(0), active(0), active(1), active(0), active(0)};
  const Suspicion found = saetap::died(all, 10'000, recent, 2'000);
  CHECK(found.judged == 4);
  CHECK(numbers_of(found) == Features{0});
  CHECK(found.features.front().count == 200);
  CHECK(found.features.front().of == 8'000);
  CHECK(found.features.front().p < 1e-15);
}

TEST_CASE("one token has 95 of 100 random samples, and 20 samples are needed to say so") {
  const auto tokens = [](std::size_t same, std::size_t others) {
    std::vector<std::int32_t> list(same, 7);
    for (std::size_t i = 0; i < others; ++i) list.push_back(static_cast<std::int32_t>(100 + i));
    return list;
  };
  Drawn<std::int32_t> drawn;
  drawn.add(tokens(95, 5));
  drawn.add(tokens(94, 6));
  drawn.add(tokens(19, 0));
  drawn.add(tokens(20, 0));
  drawn.add({});
  const Suspicion found = saetap::one_token_features(drawn.spans());
  CHECK(found.judged == 3);
  CHECK(numbers_of(found) == Features{3, 0});
  CHECK(found.features.back().subject == 7);
  CHECK(found.features.back().count == 95);
  CHECK(found.features.back().of == 100);
}

TEST_CASE("what sits at one position or at the beginning is found, what stands anywhere is not") {
  std::mt19937 random(1);
  Drawn<std::uint32_t> drawn = anywhere(random);
  CHECK(numbers_of(saetap::position_locked(drawn.spans())).empty());

  drawn.add(std::vector<std::uint32_t>(64, 0));
  std::vector<std::uint32_t> first_four(64);
  for (auto& position : first_four) position = random() % 4;
  drawn.add(first_four);
  std::vector<std::uint32_t> half(64, 41);
  for (std::size_t i = 0; i < 32; ++i) half[i] = random() % 40;
  drawn.add(half);
  drawn.add(std::vector<std::uint32_t>(19, 0));  // too few to say
  const Suspicion found = saetap::position_locked(drawn.spans());
  CHECK(found.judged == 203);
  CHECK(numbers_of(found) == Features{200, 201, 202});
  CHECK(found.features[0].subject == 0);
  CHECK(found.features[0].until == 0);
  CHECK(found.features[0].count == 64);
  CHECK(found.features[1].subject == 0);
  CHECK(found.features[1].until == 3);
  CHECK(found.features[2].subject == 41);
  CHECK(found.features[2].count == 32);
}

TEST_CASE("many features at one position do not make it usual") {
  std::mt19937 random(2);
  Drawn<std::uint32_t> drawn = anywhere(random);
  for (int feature = 0; feature < 300; ++feature) drawn.add(std::vector<std::uint32_t>(30, 0));
  CHECK(saetap::position_locked(drawn.spans()).features.size() == 300);
}

TEST_CASE("where all text is short, its positions are nothing special") {
  std::mt19937 random(3);
  Drawn<std::uint32_t> drawn;
  for (int feature = 0; feature < 200; ++feature) {
    std::vector<std::uint32_t> positions(64);
    for (auto& position : positions) position = random() % 3;
    drawn.add(positions);
  }
  CHECK(saetap::position_locked(drawn.spans()).features.empty());
}

TEST_CASE("every duplicate is named, both of a pair") {
  const std::vector<std::vector<Neighbor>> nearest{{{1, 0.96}}, {{0, 0.96}}, {{0, 0.95}}, {{2, 0.949}},
                                                   {},          {{6, 1.0}},  {{5, 1.0}}};
  const Suspicion found = saetap::duplicated(nearest, saetap::kDuplicateCosine);
  CHECK(found.judged == 6);
  CHECK(numbers_of(found) == Features{5, 6, 0, 1, 2});
  CHECK(found.features.front().subject == 6);
  CHECK(found.features.front().usual == 1.0);
}

TEST_CASE("silence that ends is found with its steps, rare features and those that stay silent are not") {
  // By feature: came back, learnt late, always active, active once, died, rare.
  const std::vector<WindowActivity> windows{window(0, {40, 0, 40, 1, 40, 1}), window(10, {0, 0, 35, 0, 40, 0}),
                                            window(20, {0, 0, 50, 0, 40, 0}), window(30, {50, 60, 45, 0, 0, 1}),
                                            window(40, {60, 50, 41, 0, 0, 1})};
  const Suspicion found = saetap::came_back(windows);
  CHECK(found.judged == 6);
  CHECK(numbers_of(found) == Features{1, 0});
  CHECK(found.features[0].subject == 0);
  CHECK(found.features[0].until == 29);
  CHECK(found.features[1].subject == 10);
  CHECK(found.features[1].until == 29);
  CHECK(found.features[1].count == 150);
  CHECK(found.features[1].of == 3000);
  CHECK(saetap::came_back({}).judged == 0);
}

TEST_CASE("of what was tested those are left whose corrected p is at most one in a hundred, the surest first") {
  Suspicion tested;
  // Corrected for five: 0.001 · 5 and 0.003 · 5 / 2; 0.007 · 5 / 3 is above.
  for (const double p : {1.0, 0.003, 0.007, 0.001, 0.9}) {
    tested.features.push_back({.feature = static_cast<std::uint32_t>(tested.features.size()), .p = p});
  }
  saetap::keep_discoveries(tested);
  CHECK(numbers_of(tested) == Features{3, 1});
  CHECK(tested.features[0].p == doctest::Approx(0.005));
  CHECK(tested.features[1].p == doctest::Approx(0.0075));
}
