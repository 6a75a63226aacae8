#include "integrations/analysis/cluster_names.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>

namespace saetap {
namespace {

// Sums of shares over features.
struct TokenShares {
  std::unordered_map<std::int32_t, double> of;
  double features = 0;

  void add(const SiteSamples& samples, std::uint32_t feature) {
    const std::vector<std::int32_t> tokens = samples.tokens_of(feature);
    if (tokens.empty()) return;
    ++features;
    for (const std::int32_t token : tokens) of[token] += 1 / static_cast<double>(tokens.size());
  }
};

std::vector<CharacteristicToken> most_characteristic(const TokenShares& own, const TokenShares& all, double smallest,
                                                     std::size_t top) {
  const double others = all.features - own.features;
  std::vector<std::pair<double, CharacteristicToken>> scored;
  for (const auto& [token, sum] : own.of) {
    const double share = sum / own.features;
    const double elsewhere = others > 0 ? std::max(0.0, all.of.at(token) - sum) / others : 0;
    if (share <= elsewhere) continue;
    const double score = share * std::log(share / std::max(elsewhere, smallest));
    scored.push_back({score, {token, share, elsewhere}});
  }
  std::sort(scored.begin(), scored.end(), [](const auto& a, const auto& b) {
    return std::tuple(-a.first, a.second.token) < std::tuple(-b.first, b.second.token);
  });
  std::vector<CharacteristicToken> tokens;
  for (const auto& one : std::span(scored).first(std::min(top, scored.size()))) tokens.push_back(one.second);
  return tokens;
}

}  // namespace

std::vector<std::vector<CharacteristicToken>> characteristic_tokens(const SiteSamples& samples,
                                                                    std::span<const FeatureCluster> clusters,
                                                                    std::size_t top) {
  TokenShares all;
  std::size_t counted = 0;
  for (std::uint32_t feature = 0; feature < samples.features(); ++feature) {
    all.add(samples, feature);
    counted += samples.of(feature).size();
  }
  const double smallest = 1 / static_cast<double>(std::max<std::size_t>(counted, 1));
  std::vector<std::vector<CharacteristicToken>> named;
  for (const FeatureCluster& cluster : clusters) {
    TokenShares own;
    for (const std::uint32_t feature : cluster.features) own.add(samples, feature);
    named.push_back(most_characteristic(own, all, smallest, top));
  }
  return named;
}

}  // namespace saetap
