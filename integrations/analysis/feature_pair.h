// What two features of a site have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "integrations/analysis/feature_facts.h"
#include "integrations/analysis/shared_activity.h"

namespace saetap {

// A feature as it is compared.
struct ComparedFeature {
  FeatureFacts facts;
  std::vector<float> direction;  // of the decoder; empty: not stored
  bool all_at_random = false;    // its random sample has every place where it was active
};

struct FeaturePair {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  std::optional<double> cosine;      // of the decoder directions; nothing if one is zero, not finite or not stored
  std::size_t shared_strongest = 0;  // places that are among the strongest samples of both
  SharedActivity activity;
  // Rank correlation of the strengths at the places in both random samples, kFewestCommonPlaces at least: these are
  // drawn at random from those where both are active. (The activations around strongest samples are not: they are
  // known for the one feature only, and where it is strong.)
  std::optional<double> correlation;
  std::size_t common_places = 0;  // in both random samples
  // Summed over tokens, the smaller of their shares of each feature's activating tokens: from 0, none in common, to 1.
  // Nothing if one of the features has no known token.
  std::optional<double> token_overlap;
};

[[nodiscard]] FeaturePair pair_of(const ComparedFeature& first, const ComparedFeature& second);

}  // namespace saetap
