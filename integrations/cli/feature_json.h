// One feature as `saetap show` and `saetap compare` give it to programs, and a site's features in sum.
#pragma once

#include "integrations/analysis/feature_facts.h"
#include "integrations/analysis/ranking.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

// `imported`: what a samples.json does not say, or not of all features, is null.
[[nodiscard]] Json json_of_summary(const SiteSummary& summary, bool imported);
// Statistics with their intervals, quantiles, histogram, neighbours.
[[nodiscard]] Json json_of_figures(const FeatureFacts& facts);
[[nodiscard]] Json json_of_activating_tokens(const ActivatingTokens& tokens, const Tokenizer* tokenizer);
[[nodiscard]] Json json_of_direction(const DirectionTokens& direction, const Tokenizer* tokenizer);
[[nodiscard]] Json json_of_age(const std::optional<SampleAge>& age);
[[nodiscard]] Json json_of_shown(const std::vector<ShownSample>& samples);
[[nodiscard]] Json json_of_groups(const std::vector<ShownGroup>& groups);

}  // namespace saetap::cli
