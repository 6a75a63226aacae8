// Statistics of one feature in words.
#pragma once

#include <string>

#include "integrations/analysis/feature_facts.h"

namespace saetap {

// "12.5 % (7.81 % to 18.7 %)": with the interval, if there is one.
[[nodiscard]] std::string density_text(const FeatureFacts& facts);
[[nodiscard]] std::string mean_text(const FeatureFacts& facts);

// "of 64 active tokens drawn at random": among which the activating tokens are counted.
[[nodiscard]] std::string counted_among_text(const ActivatingTokens& tokens);
// "3e-41", "0.02", "< 1e-300"
[[nodiscard]] std::string p_text(double p);
// "210 times", "0.8 times"
[[nodiscard]] std::string lift_text(double lift);

// Why it has none. `threshold`: the run's, from which on samples are kept.
[[nodiscard]] std::string no_samples_text(const FeatureFacts& facts, float threshold);

}  // namespace saetap
