#include "integrations/analysis/feature_pair.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "integrations/analysis/agreement.h"

namespace saetap {
namespace {

std::optional<double> cosine_of(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0, square_a = 0, square_b = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    product += double{a[i]} * double{b[i]};
    square_a += double{a[i]} * double{a[i]};
    square_b += double{b[i]} * double{b[i]};
  }
  const double cosine = product / std::sqrt(square_a * square_b);
  return std::isfinite(cosine) ? std::optional(cosine) : std::nullopt;
}

// Places come once in each list.
std::size_t in_both(std::vector<Sample> a, std::vector<Sample> b) {
  return common_strengths(std::move(a), std::move(b)).first.size();
}

RandomPlaces places_of(const ComparedFeature& feature) {
  return {feature.facts.random_samples, feature.all_at_random};
}

std::optional<double> token_overlap(const ActivatingTokens& a, const ActivatingTokens& b) {
  if (a.of == 0 || b.of == 0) return std::nullopt;
  std::map<std::int32_t, double> shares;
  for (const EnrichedToken& token : a.tokens) {
    shares[token.token] = static_cast<double>(token.count) / static_cast<double>(a.of);
  }
  double overlap = 0;
  for (const EnrichedToken& token : b.tokens) {
    const auto found = shares.find(token.token);
    if (found == shares.end()) continue;
    overlap += std::min(found->second, static_cast<double>(token.count) / static_cast<double>(b.of));
  }
  return overlap;
}

}  // namespace

FeaturePair pair_of(const ComparedFeature& first, const ComparedFeature& second) {
  FeaturePair pair;
  pair.first = first.facts.feature;
  pair.second = second.facts.feature;
  pair.cosine = cosine_of(first.direction, second.direction);
  pair.shared_strongest = in_both(first.facts.samples, second.facts.samples);
  pair.activity = shared_activity(places_of(first), places_of(second));
  const auto [in_first, in_second] = common_strengths(first.facts.random_samples, second.facts.random_samples);
  pair.common_places = in_first.size();
  if (pair.common_places >= kFewestCommonPlaces) pair.correlation = rank_correlation(in_first, in_second);
  pair.token_overlap = token_overlap(first.facts.tokens, second.facts.tokens);
  return pair;
}

}  // namespace saetap
