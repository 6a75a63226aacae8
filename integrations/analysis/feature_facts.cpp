#include "integrations/analysis/feature_facts.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "integrations/analysis/activating_tokens.h"

namespace saetap {

std::span<const EnrichedToken> repeated_tokens(const ActivatingTokens& found) {
  const auto once = std::ranges::find_if(found.tokens, [](const EnrichedToken& token) { return token.count < 2; });
  const auto more = static_cast<std::size_t>(once - found.tokens.begin());
  return std::span(found.tokens).first(more > 0 ? more : found.tokens.size());
}

float FeatureFacts::quantile(int percent) const {
  // The middle of a bin may lie above all that is in it.
  return std::min(histogram.quantile(percent / 100.0), std::abs(statistics.max));
}

FactsReader::FactsReader(const StoreReader& store, const StoredSite& site, Scope scope, const Tokenizer* tokenizer)
    : store_(store),
      site_(site),
      scope_(scope),
      tokenizer_(tokenizer),
      text_(TokenBase::read(store, site, scope)),
      windows_(StoredWindows(store.path()).of(site.site.id)) {}

FeatureFacts FactsReader::read(std::uint32_t feature, const FactsWanted& wanted) const {
  const StoreReader::Together together(store_);
  const int site = site_.site.id;
  FeatureFacts facts;
  facts.feature = feature;
  facts.statistics = store_.feature_statistics(site, feature, scope_);
  if (facts.statistics.active == 0 && scope_ == Scope::recent) {
    facts.active_before = store_.feature_statistics(site, feature, Scope::all_time).active;
  }
  facts.eligible = (scope_ == Scope::recent ? site_.recent : site_.all_time).eligible;
  facts.density_interval = share_interval(facts.statistics.active, facts.eligible);
  facts.mean_interval = mean_interval(facts.statistics);
  facts.histogram = store_.histogram(site, feature, scope_);
  facts.samples = store_.samples(site, feature, scope_);
  facts.random_samples = store_.random_samples(site, feature, scope_);
  facts.tokens = tokens_of(facts);
  facts.age = age_of(facts.samples, windows_, scope_ == Scope::all_time);
  facts.strongest = strongest(facts, wanted);
  facts.groups = groups(facts, wanted);
  return facts;
}

ActivatingTokens FactsReader::tokens_of(const FeatureFacts& facts) const {
  const auto some = [](const std::vector<Sample>& all) {
    return std::span(all).first(std::min(kMostTokensCounted, all.size()));
  };
  std::vector<std::int32_t> tokens = known_tokens(store_, some(facts.random_samples));
  ActivatingTokens found;
  found.at_random = tokens.size() >= kEnoughAtRandom;
  if (!found.at_random) tokens = known_tokens(store_, some(facts.samples));
  found.of = tokens.size();
  found.tokens = enriched_tokens(tokens, text_);
  found.text_tokens = text_.total();
  found.text_counted = text_.counted();
  std::ranges::stable_sort(found.tokens, std::greater(), &EnrichedToken::count);
  return found;
}

std::vector<ShownSample> FactsReader::with_text(std::span<const Sample> samples,
                                                std::span<const std::optional<std::vector<ContextActivation>>> around,
                                                std::optional<std::uint32_t> context) const {
  const std::uint32_t kept = store_.run().sample_context_size;
  const std::uint32_t wide = context.value_or(kept);
  std::vector<ShownSample> shown;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Excerpt excerpt = read_excerpt(store_, samples[i], wide, wide, tokenizer_);
    shown.push_back(
        {samples[i], excerpt, activations_along(samples[i], around[i], kept, excerpt.ids.size(), excerpt.activating)});
  }
  return shown;
}

std::vector<ShownSample> FactsReader::strongest(const FeatureFacts& facts, const FactsWanted& wanted) const {
  const auto top = std::span(facts.samples).first(std::min(wanted.samples, facts.samples.size()));
  return with_text(top, store_.context_activations(site_.site.id, facts.feature, scope_, top), wanted.context);
}

std::vector<ShownSample> FactsReader::random_samples(const FeatureFacts& facts,
                                                     std::optional<std::uint32_t> context) const {
  const StoreReader::Together together(store_);
  const auto& samples = facts.random_samples;
  return with_text(samples, store_.random_context_activations(site_.site.id, facts.feature, scope_, samples), context);
}

std::vector<ShownGroup> FactsReader::groups(const FeatureFacts& facts, const FactsWanted& wanted) const {
  std::vector<ShownGroup> shown;
  for (const StrengthGroup& group : strength_groups(facts.random_samples, wanted.groups)) {
    const auto examples = std::span(group.samples).first(std::min(wanted.examples, group.samples.size()));
    const auto around = store_.random_context_activations(site_.site.id, facts.feature, scope_, examples);
    shown.push_back({.weakest = group.weakest,
                     .strongest = group.strongest,
                     .count = group.samples.size(),
                     .examples = with_text(examples, around, wanted.context)});
  }
  return shown;
}

}  // namespace saetap
