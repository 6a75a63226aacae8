// How far what was kept of a feature during training agrees with what a pass over the same text under the final weights
// finds of it. Places are (sequence, position); strength is the magnitude of an activation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "plugin/store/stored_windows.h"

namespace saetap {

inline constexpr std::size_t kTopPlaces = 10;
// Fewer than these, and a feature is counted apart: one place more or less would decide.
inline constexpr std::size_t kFewestTopPlaces = 5;
inline constexpr std::size_t kFewestCommonPlaces = 10;
inline constexpr std::size_t kFewestFeatures = 10;  // for a correlation over features

// Spearman's: Pearson's correlation of the ranks, equal values sharing the mean of theirs. Nothing if the values of
// either list are all the same (so of fewer than two). The lists have one length; all values are numbers.
[[nodiscard]] std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b);

// The strengths at the places that two lists of samples have in common, in the same order.
[[nodiscard]] std::pair<std::vector<double>, std::vector<double>> common_strengths(std::vector<Sample> a,
                                                                                   std::vector<Sample> b);

// Of one feature, between one part of the training and the final pass. Figures are nothing where there is too little to
// go by.
struct FeatureAgreement {
  std::uint32_t feature = 0;
  // Share of the final's n strongest places that are among the part's n strongest: n = 10, or all the final has if they
  // are fewer, but 5 at least. A part cannot have places that it never saw.
  std::optional<double> top_overlap;
  // Share of the part's 10 strongest places (of all it has, if they are fewer, but 5 at least) that are among those
  // that the final keeps at all.
  std::optional<double> found;
  // Rank correlation of the strengths at the places that are in the random samples of both, 10 at least. Whether a
  // place is in a random sample depends on the place alone, so these are a random sample of all places where the
  // feature was active both times. (Places of two lists of strongest ones would be chosen by what is compared.)
  std::optional<double> correlation;
  std::size_t common_places = 0;  // in the random samples of both
  std::uint64_t training_active = 0;
  std::uint64_t final_active = 0;  // rows with an activation that is not 0
};

[[nodiscard]] FeatureAgreement compare_feature(std::uint32_t feature, const KeptOfFeature& training,
                                               const KeptOfFeature& final_pass);

// A figure over features.
struct Spread {
  std::uint64_t features = 0;  // that have the figure
  double median = 0;           // of these; of an even number, the middle of the two
  double mean = 0;
};
[[nodiscard]] Spread spread_of(std::vector<double> figures);

// The `most` features with the lowest share found, of equal ones those with the lowest rank correlation, then by
// number. Those that have neither figure are left out; one that is missing counts as the highest.
[[nodiscard]] std::vector<FeatureAgreement> least_agreeing(std::vector<FeatureAgreement> features, std::size_t most);

}  // namespace saetap
