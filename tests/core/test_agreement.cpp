// Agreement of a training with a final pass, against figures worked out from the activations themselves.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "integrations/analysis/site_agreement.h"
#include "integrations/analysis/site_pairs.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

// --- the same figures, the slow way -------------------------------------------------------------------------------

using Place = std::pair<SequenceId, std::uint32_t>;

struct Seen {
  std::uint64_t step;
  Place place;
  float activation;  // not 0
};

std::optional<double> spearman(const std::vector<double>& a, const std::vector<double>& b) {
  const auto ranks = [](const std::vector<double>& values) {
    std::vector<double> all;
    for (const double value : values) {
      double below = 0, equal = 0;
      for (const double other : values) {
        below += other < value ? 1 : 0;
        equal += other == value ? 1 : 0;
      }
      all.push_back(below + (equal - 1) / 2);
    }
    return all;
  };
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  const auto x = ranks(a), y = ranks(b);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += x[i] * y[i];
    xx += x[i] * x[i];
    yy += y[i] * y[i];
  }
  const auto n = static_cast<double>(x.size());
  const double var_x = xx / n - mean(x) * mean(x), var_y = yy / n - mean(y) * mean(y);
  if (x.empty() || var_x < 1e-9 || var_y < 1e-9) return std::nullopt;
  return (xy / n - mean(x) * mean(y)) / std::sqrt(var_x * var_y);
}

constexpr std::size_t kKept = 20;
constexpr std::size_t kKeptAtRandom = 40;

// Strongest first.
std::vector<Place> strongest_places(const std::vector<Seen>& seen, std::size_t most) {
  std::map<Place, float> largest;
  for (const Seen& one : seen) {
    if (std::abs(one.activation) < 0.1f) continue;
    largest[one.place] = std::max(largest[one.place], std::abs(one.activation));
  }
  std::vector<std::pair<float, Place>> order;
  for (const auto& [place, magnitude] : largest) order.emplace_back(-magnitude, place);
  std::sort(order.begin(), order.end());
  std::vector<Place> places;
  for (const auto& [magnitude, place] : order) {
    if (places.size() < most) places.push_back(place);
  }
  return places;
}

std::map<Place, double> random_places(const std::vector<Seen>& seen) {
  std::map<Place, Seen> latest;
  for (const Seen& one : seen) {
    const auto [found, first] = latest.emplace(one.place, one);
    if (!first && one.step > found->second.step) found->second = one;
  }
  std::map<std::uint64_t, Place> by_hash;
  for (const auto& [place, one] : latest) by_hash[place_hash({place.first, place.second})] = place;
  std::map<Place, double> kept;
  for (const auto& [hash, place] : by_hash) {
    if (kept.size() < kKeptAtRandom) kept[place] = std::abs(latest.at(place).activation);
  }
  return kept;
}

// Of the first `n` of one list, those that are among the first `m` of the other.
double share(const std::vector<Place>& list, std::size_t n, const std::vector<Place>& other, std::size_t m) {
  const std::set<Place> others(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(std::min(m, other.size())));
  double there = 0;
  for (std::size_t i = 0; i < n; ++i) there += others.contains(list[i]) ? 1 : 0;
  return there / static_cast<double>(n);
}

struct Expected {
  std::vector<double> overlaps, founds, correlations, active, final_active;
};

void check_spread(const Spread& spread, std::vector<double> figures) {
  REQUIRE(spread.features == figures.size());
  if (figures.empty()) return;
  std::sort(figures.begin(), figures.end());
  double sum = 0;
  for (const double figure : figures) sum += figure;
  CHECK(spread.median == doctest::Approx((figures[(figures.size() - 1) / 2] + figures[figures.size() / 2]) / 2));
  CHECK(spread.mean == doctest::Approx(sum / static_cast<double>(figures.size())));
}

// --- a training and a final pass ----------------------------------------------------------------------------------

constexpr std::int64_t kFeatures = 16;
constexpr std::size_t kSequences = 15;
constexpr std::size_t kTokens = 40;
constexpr std::uint64_t kSteps = 23;
constexpr std::uint64_t kWindowSteps = 5;

CollectorOptions options_of_test(const WindowRule& rule) {
  CollectorOptions options;
  options.max_samples_per_feature = kKept;
  options.random_samples_per_feature = kKeptAtRandom;
  options.window_rule = rule;
  return options;
}

// Random numbers that belong to what is named, the same whenever asked.
double noise(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
  std::seed_seq seed{a, b, c, d};
  std::mt19937 random(seed);
  return std::uniform_real_distribution<double>(0, 1)(random);
}

// Under the final weights, of a sequence and a position.
float final_activation(std::uint64_t feature, std::size_t sequence, std::size_t position) {
  if (feature == 1) return 0;                                            // dead in the end
  if (feature == 3) return sequence == 0 && position < 3 ? 2.0f : 0.0f;  // rare
  if (feature == 4) return position % 4 == 0 ? 1.5f : 0.0f;              // always the same
  const double drawn = noise(feature, sequence, position, 1000);
  if (drawn > 0.3) return 0;
  const float value = static_cast<float>(0.05 + 8 * drawn);
  return feature == 0 && position % 2 == 0 ? -value : value;  // feature 0 is signed
}

// In training the features are what they will be, and less and less something else.
float training_activation(std::uint64_t feature, std::size_t sequence, std::size_t position, std::uint64_t step) {
  if (feature == 2) return 0;  // not yet alive
  const double drift = 1 - static_cast<double>(step) / kSteps;
  const bool other = noise(feature, sequence, position, step) < drift;
  if (!other && feature != 1) return final_activation(feature, sequence, position);
  const double drawn = noise(feature + 100, sequence, position, step / 3);
  return drawn > 0.4 ? 0 : static_cast<float>(6 * drawn);
}

std::vector<std::int32_t> tokens_of(std::size_t sequence) {
  std::vector<std::int32_t> tokens;
  for (std::size_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<std::int32_t>(1 + sequence * 100 + i));
  return tokens;
}

using SeenOfFeatures = std::vector<std::vector<Seen>>;  // [features]

template <typename Activation>
void pass(Pipeline& pipeline, SeenOfFeatures& seen, std::size_t sequence, std::uint64_t step, Activation activation) {
  const std::vector<std::int32_t> tokens = tokens_of(sequence);
  std::vector<Row> rows;
  for (std::size_t position = 0; position < kTokens; ++position) {
    Row& row = rows.emplace_back(kFeatures);
    for (std::uint64_t feature = 0; feature < kFeatures; ++feature) {
      row[feature] = activation(feature, sequence, position);
      if (row[feature] == 0) continue;
      seen[feature].push_back({step, {sequence_id(tokens), static_cast<std::uint32_t>(position)}, row[feature]});
    }
  }
  pipeline.sequence(step, tokens, rows);
}

struct TwoRuns {
  TwoRuns() {
    for (std::uint64_t step = 0; step < kSteps; ++step) {
      const std::size_t sequence = step * 4 % kSequences;  // some come twice
      pass(training, in_training, sequence, step, [&](std::uint64_t feature, std::size_t at, std::size_t position) {
        return training_activation(feature, at, position, step);
      });
      if (step % 3 == 2) training.checkpoint();
    }
    training.checkpoint(true);
    for (std::size_t sequence = 0; sequence < kSequences; ++sequence) {
      pass(last, in_last, sequence, sequence, final_activation);
      if (sequence % 3 == 2) last.checkpoint();
    }
    last.checkpoint(true);
  }

  Pipeline training{kFeatures, options_of_test({WindowRule::Kind::fixed, kWindowSteps})};
  // A pass has windows, too, and all of them are read.
  Pipeline last{kFeatures, options_of_test({WindowRule::Kind::fixed, 4})};
  SeenOfFeatures in_training = SeenOfFeatures(kFeatures), in_last = SeenOfFeatures(kFeatures);
};

SiteAgreement agreement_of(const TwoRuns& runs, Scope listed = Scope::recent) {
  const StoreReader training(runs.training.folder.path()), last(runs.last.folder.path());
  StoredWindows windows(training.path());
  return compare_sites({training, training.sites().front()}, windows, {last, last.sites().front()}, listed,
                       [](std::size_t) {});
}

// Of the training's steps from `first` to `last`. `kept`: how many of the strongest are there, 0: no random ones
// either.
Expected expected_of(const TwoRuns& runs, std::uint64_t first, std::uint64_t last, bool history) {
  Expected expected;
  for (std::size_t feature = 0; feature < kFeatures; ++feature) {
    std::vector<Seen> seen;
    for (const Seen& one : runs.in_training[feature]) {
      if (one.step >= first && one.step <= last) seen.push_back(one);
    }
    const std::vector<Seen>& in_last = runs.in_last[feature];
    if (seen.empty() && in_last.empty()) continue;
    expected.active.push_back(static_cast<double>(seen.size()));
    expected.final_active.push_back(static_cast<double>(in_last.size()));
    const auto top = strongest_places(seen, kKept), last_top = strongest_places(in_last, kKept);
    const std::size_t n = std::min<std::size_t>(10, last_top.size()), own = std::min<std::size_t>(10, top.size());
    if (n >= 5) expected.overlaps.push_back(share(last_top, n, top, n));
    if (own >= 5) expected.founds.push_back(share(top, own, last_top, kKept));
    if (history) continue;
    std::vector<double> a, b;
    const auto last_random = random_places(in_last);
    for (const auto& [place, magnitude] : random_places(seen)) {
      if (!last_random.contains(place)) continue;
      a.push_back(magnitude);
      b.push_back(last_random.at(place));
    }
    const auto correlation = a.size() >= 10 ? spearman(a, b) : std::nullopt;
    if (correlation) expected.correlations.push_back(*correlation);
  }
  return expected;
}

void check_part(const PartAgreement& part, const Expected& expected) {
  CAPTURE(part.kind);
  CAPTURE(part.span.first_step);
  CHECK(part.features == expected.active.size());
  check_spread(part.top_overlap, expected.overlaps);
  check_spread(part.found, expected.founds);
  check_spread(part.correlation, expected.correlations);
  REQUIRE(part.densities.has_value());
  CHECK(*part.densities == doctest::Approx(*spearman(expected.active, expected.final_active)));
}

StoredSite site(const std::string& name, std::int64_t features, std::int64_t width = 4) {
  StoredSite stored;
  stored.site.name = name;
  stored.site.features = features;
  stored.site.d_in = stored.site.d_out = width;
  return stored;
}

// "a=b" for each pair.
std::vector<std::string> pairs_of(const std::vector<StoredSite>& first, const std::vector<StoredSite>& second) {
  std::vector<std::string> pairs;
  for (const SitePair& pair : pair_sites(first, second))
    pairs.push_back(pair.first->site.name + "=" + pair.second->site.name);
  return pairs;
}

}  // namespace

TEST_CASE("rank correlation, ties sharing their ranks") {
  using Values = std::vector<double>;
  CHECK(rank_correlation(Values{1, 2, 3}, Values{10, 20, 1000}).value() == doctest::Approx(1));
  CHECK(rank_correlation(Values{1, 2, 3}, Values{3, 2, 1}).value() == doctest::Approx(-1));
  // Of the textbook: 1 - 6 (0 + 1 + 1 + 0) / (4 · 15).
  CHECK(rank_correlation(Values{1, 2, 3, 4}, Values{5, 7, 6, 8}).value() == doctest::Approx(0.8));
  // Ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 1.5, variances 1.5 and 2.
  CHECK(rank_correlation(Values{4, 4, 9}, Values{1, 2, 3}).value() == doctest::Approx(1.5 / std::sqrt(3.0)));
  CHECK_FALSE(rank_correlation(Values{4, 4, 4}, Values{1, 2, 3}).has_value());
  CHECK_FALSE(rank_correlation(Values{1}, Values{1}).has_value());
  CHECK_FALSE(rank_correlation(Values{}, Values{}).has_value());
  std::mt19937 random(5);
  std::uniform_int_distribution<int> few(0, 6);
  for (int round = 0; round < 200; ++round) {
    Values a, b;
    for (int i = 0; i < 2 + round % 30; ++i) {
      a.push_back(few(random));
      b.push_back(few(random));
    }
    const auto expected = spearman(a, b), found = rank_correlation(a, b);
    REQUIRE(found.has_value() == expected.has_value());
    if (expected) CHECK(*found == doctest::Approx(*expected));
  }
}

TEST_CASE("every part's figures are those of the activations themselves") {
  const TwoRuns runs;
  const SiteAgreement agreement = agreement_of(runs);
  std::vector<std::string> kinds;
  for (const PartAgreement& part : agreement.parts) kinds.push_back(part.kind);
  REQUIRE(kinds ==
          std::vector<std::string>{"history", "history", "history", "closed", "open", "past", "recent", "all_time"});
  for (std::uint64_t window = 0; window < 5; ++window) {
    const PartAgreement& part = agreement.parts[window];
    const std::uint64_t first = window * kWindowSteps, last = std::min(first + kWindowSteps, kSteps) - 1;
    CHECK(part.window == window);
    CHECK(part.span.first_step == first);
    CHECK(part.span.last_step == last);
    CHECK(part.span.eligible == (last - first + 1) * kTokens);
    check_part(part, expected_of(runs, first, last, window < 3));
  }
  check_part(agreement.parts[5], expected_of(runs, 0, 14, false));
  check_part(agreement.parts[6], expected_of(runs, 15, kSteps - 1, false));
  check_part(agreement.parts[7], expected_of(runs, 0, kSteps - 1, false));
  for (std::size_t i = 5; i < 8; ++i) CHECK_FALSE(agreement.parts[i].window.has_value());
  // Enough to go by, and not all the same.
  CHECK(agreement.parts[6].correlation.features >= 5);
  CHECK(agreement.parts[6].top_overlap.mean > agreement.parts[0].top_overlap.mean);
  CHECK(agreement.sequences.both == kSequences);
  CHECK(agreement.sequences.training == kSequences);
}

TEST_CASE("a feature that training did not have disagrees; one with too little to go by is counted apart") {
  const TwoRuns runs;
  const SiteAgreement agreement = agreement_of(runs, Scope::all_time);
  const auto of = [&](std::uint32_t feature) {
    const auto found = std::find_if(agreement.features.begin(), agreement.features.end(),
                                    [&](const FeatureAgreement& one) { return one.feature == feature; });
    REQUIRE(found != agreement.features.end());
    return *found;
  };
  CHECK(of(2).top_overlap == 0.0);  // never alive in training
  CHECK_FALSE(of(2).found.has_value());
  CHECK_FALSE(of(2).correlation.has_value());
  CHECK_FALSE(of(1).top_overlap.has_value());  // dead in the end
  CHECK(of(1).found == 0.0);
  CHECK_FALSE(of(3).top_overlap.has_value());  // three places in the final pass
  CHECK_FALSE(of(4).correlation.has_value());  // in the final pass always the same
  CHECK(agreement.parts.back().features - agreement.parts.back().top_overlap.features == 2);
}

TEST_CASE("a run agrees with itself") {
  const TwoRuns runs;
  const StoreReader last(runs.last.folder.path());
  StoredWindows windows(last.path());
  const SiteOf site_of{last, last.sites().front()};
  const SiteAgreement agreement = compare_sites(site_of, windows, site_of, Scope::all_time, [](std::size_t) {});
  CHECK(agreement.parts.back().top_overlap.mean == 1);
  CHECK(agreement.parts.back().found.mean == 1);
  CHECK(agreement.parts.back().correlation.mean == doctest::Approx(1));
  CHECK(*agreement.parts.back().densities == doctest::Approx(1));
  CHECK_FALSE(windows.changed());
}

TEST_CASE("what is not of one SAE is refused, and a save meanwhile is seen") {
  TwoRuns runs;
  Pipeline narrow(kFeatures - 1);
  narrow.checkpoint(true);
  const StoreReader training(runs.training.folder.path()), last(narrow.folder.path());
  StoredWindows windows(training.path());
  CHECK_THROWS_WITH_AS((void)compare_sites({training, training.sites().front()}, windows, {last, last.sites().front()},
                                           Scope::recent, [](std::size_t) {}),
                       doctest::Contains("has 16 features in"), StoreError);
  CHECK_FALSE(windows.changed());
  runs.training.checkpoint();
  CHECK(windows.changed());
}

TEST_CASE("the least agreeing features: by share found, then by rank correlation, then by number") {
  const auto feature = [](std::uint32_t number, std::optional<double> found, std::optional<double> correlation) {
    return FeatureAgreement{.feature = number, .top_overlap = {}, .found = found, .correlation = correlation};
  };
  const std::vector<FeatureAgreement> all{feature(0, 0.5, 0.1), feature(1, 0.2, {}), feature(2, 0.2, 0.9),
                                          feature(3, {}, -0.5), feature(4, {}, {}),  feature(5, 0.2, 0.9)};
  std::vector<std::uint32_t> order;
  for (const FeatureAgreement& one : least_agreeing(all, 10)) order.push_back(one.feature);
  CHECK(order == std::vector<std::uint32_t>{2, 5, 1, 0, 3});
  CHECK(least_agreeing(all, 2).size() == 2);
  CHECK(least_agreeing(all, 0).empty());
}

TEST_CASE("sites pair by name, else as the only ones, else by a shape that is theirs alone") {
  using Pairs = std::vector<std::string>;
  CHECK(pairs_of({site("a", 8), site("b", 8)}, {site("b", 8), site("a", 8)}) == Pairs{"a=a", "b=b"});
  CHECK(pairs_of({site("a", 8)}, {site("x", 9)}) == Pairs{"a=x"});  // that they differ is for others to say
  CHECK(pairs_of({site("a", 8), site("b", 16)}, {site("x", 16), site("y", 8)}) == Pairs{"a=y", "b=x"});
  // Two of a shape, on either side: none is guessed.
  CHECK(pairs_of({site("a", 8), site("b", 16)}, {site("x", 16), site("y", 16)}).empty());
  CHECK(pairs_of({site("a", 8), site("b", 8)}, {site("x", 8)}).empty());
  // A namesake is taken, and so leaves its shape to the other one.
  CHECK(pairs_of({site("a", 8), site("b", 8)}, {site("a", 8), site("x", 8)}) == Pairs{"a=a", "b=x"});
  CHECK(pairs_of({site("a", 8, 4)}, {site("x", 8, 5), site("y", 8, 4)}) == Pairs{"a=y"});
  CHECK(pairs_of({}, {site("a", 8)}).empty());
}
