// What a report says of a site as a whole, read from the store; whoever writes it, in whatever format.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "integrations/analysis/activating_tokens.h"
#include "integrations/analysis/discovery_rates.h"
#include "integrations/analysis/feature_facts.h"
#include "integrations/analysis/feature_families.h"
#include "integrations/analysis/ranking.h"
#include "integrations/analysis/site_suspicions.h"

namespace saetap {

struct ReportRequest {
  const StoreReader& store;
  const StoredSite& site;
  Scope scope = Scope::recent;
  std::string scope_text;                          // which part of the run that is, for people
  std::vector<std::uint32_t> features;             // in the order of the report
  std::string order;                               // why these, in this order: "the 50 of highest max"
  std::size_t samples = 10;                        // per feature
  const Tokenizer* tokenizer = nullptr;            // null: ids are shown
  std::function<void(std::size_t done)> progress;  // after each feature; may be empty
};

// A family, and what speaks for it besides directions.
struct ReportFamily {
  FeatureFamily family;
  std::vector<TokenCount> tokens;  // commonest at the strongest samples of all its features
  std::uint64_t places = 0;        // of these samples, each place once
  std::uint64_t shared = 0;        // of the places, those of two features of it or more
};

// Tokens of a feature of the report.
struct GlancedTokens {
  std::vector<EnrichedToken> first;  // see first_tokens()
  std::uint64_t of = 0;              // among how many known tokens
};

struct ReportMaterial {
  std::vector<FeatureStatistics> statistics;  // [features], of the scope
  std::uint64_t eligible = 0;
  SiteSummary summary;
  std::vector<std::vector<Neighbor>> nearest;  // [features], or empty without a decoder
  bool all_pairs = false;  // false: the site is so large that only the features of the report have lists in `nearest`
  std::uint64_t family_count = 0;
  std::vector<ReportFamily> families;  // the first of them
  std::vector<SiteSuspicion> suspicions;
  std::vector<GlancedTokens> tokens;  // of the features of the report, in its order
  DiscoveryRates rates;               // over these features
  std::uint64_t text_tokens = 0;      // in the text that tokens are held against
  std::uint64_t text_counted = 0;     // as in ActivatingTokens
};

// Up to so many features all pairs are looked at.
inline constexpr std::int64_t kMostForAllPairs = 16'384;
inline constexpr std::size_t kFamiliesShown = 20;
inline constexpr std::size_t kTokensGlanced = 3;

// What is read of each feature.
[[nodiscard]] FactsWanted wanted_of(const ReportRequest& request);

// Of its tokens that came more than once (if none did, of all) the most significant, `top` at most; equal ones by
// count.
[[nodiscard]] std::vector<EnrichedToken> first_tokens(const ActivatingTokens& found, std::size_t top);

// `tick` gets the number of features read, as read_suspicions gives it. Throws StoreError.
[[nodiscard]] ReportMaterial read_material(const ReportRequest& request, const FeatureProgress& tick);

}  // namespace saetap
