// All that a page about one feature says, whoever prints it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "integrations/analysis/confidence.h"
#include "integrations/analysis/decoder_neighbors.h"
#include "integrations/analysis/direction_tokens.h"
#include "integrations/analysis/excerpt.h"
#include "integrations/analysis/sample_age.h"
#include "integrations/analysis/strength_groups.h"
#include "integrations/analysis/token_enrichment.h"

namespace saetap {

// A sample as people see it.
struct ShownSample {
  Sample sample;
  Excerpt excerpt;
  std::vector<std::optional<float>> along;  // activations at the tokens of the excerpt; empty: not known
};

struct ShownGroup {
  float weakest = 0;  // by magnitude, with its sign
  float strongest = 0;
  std::size_t count = 0;              // in it
  std::vector<ShownSample> examples;  // some of them, at random
};

// The tokens that a feature answers to.
struct ActivatingTokens {
  bool at_random = false;             // of the random sample; false: too few of it are known, so of the strongest ones
  std::uint64_t of = 0;               // how many known tokens they are among
  std::vector<EnrichedToken> tokens;  // commonest first, equal ones the most significant first
  std::uint64_t text_tokens = 0;      // in the text that they are held against
  std::uint64_t text_counted = 0;     // how many were counted, of which these are known; 0: an estimate
};

// Those that came more than once; if none did, all.
[[nodiscard]] std::span<const EnrichedToken> repeated_tokens(const ActivatingTokens& found);

struct FeatureFacts {
  std::uint32_t feature = 0;
  FeatureStatistics statistics;
  std::uint64_t eligible = 0;  // rows counted
  // Of one that was not active in the recent steps, if these are read: on how many tokens it was before.
  std::uint64_t active_before = 0;
  std::optional<Interval> density_interval;
  std::optional<Interval> mean_interval;
  ActivationHistogram histogram;
  ActivatingTokens tokens;
  std::optional<SampleAge> age;        // of the samples kept
  std::vector<Sample> samples;         // all that are kept, strongest first
  std::vector<ShownSample> strongest;  // the first of them
  std::vector<Sample> random_samples;  // all that are kept
  std::vector<ShownGroup> groups;      // of these, strongest first
  // Left to those who want them: nearest_in_store, direction_tokens.
  std::vector<Neighbor> neighbors;
  std::optional<DirectionTokens> direction;

  [[nodiscard]] double density() const { return statistics.density(eligible); }
  // The magnitude below which `percent` of its active values lie, within kQuantileError; 0 if there are none.
  [[nodiscard]] float quantile(int percent) const;
};

// How much of it.
struct FactsWanted {
  std::size_t samples = 20;
  std::optional<std::uint32_t> context;  // tokens on each side; nothing: as many as were kept
  std::size_t groups = 5;
  std::size_t examples = 3;  // of each group
};

// Known tokens in a random sample from which on its tokens say more than those of the strongest samples.
inline constexpr std::size_t kEnoughAtRandom = 20;
// Of more than these the first are counted: of a random sample, they are one as well. The test's work grows with their
// square.
inline constexpr std::size_t kMostTokensCounted = 4096;

// Reads the features of one site. What it is given must outlive it. Everything throws StoreError.
class FactsReader {
 public:
  // `tokenizer`: null shows ids.
  FactsReader(const StoreReader& store, const StoredSite& site, Scope scope, const Tokenizer* tokenizer);

  [[nodiscard]] FeatureFacts read(std::uint32_t feature, const FactsWanted& wanted) const;
  // All that are kept of its random samples, with text.
  [[nodiscard]] std::vector<ShownSample> random_samples(const FeatureFacts& facts,
                                                        std::optional<std::uint32_t> context) const;
  [[nodiscard]] const TokenBase& text() const { return text_; }

 private:
  [[nodiscard]] ActivatingTokens tokens_of(const FeatureFacts& facts) const;
  // `around`: the activations around each, as StoreReader gives them.
  [[nodiscard]] std::vector<ShownSample> with_text(
      std::span<const Sample> samples, std::span<const std::optional<std::vector<ContextActivation>>> around,
      std::optional<std::uint32_t> context) const;
  [[nodiscard]] std::vector<ShownSample> strongest(const FeatureFacts& facts, const FactsWanted& wanted) const;
  [[nodiscard]] std::vector<ShownGroup> groups(const FeatureFacts& facts, const FactsWanted& wanted) const;

  const StoreReader& store_;
  const StoredSite& site_;
  Scope scope_;
  const Tokenizer* tokenizer_;
  TokenBase text_;
  std::vector<StoredWindow> windows_;
};

}  // namespace saetap
