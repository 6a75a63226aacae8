// Statistics of one feature in words.
#pragma once

#include <cstdint>
#include <string>

#include "integrations/analysis/feature_facts.h"

namespace saetap {

// "12.5 % (7.81 % to 18.7 %)": with the interval, if there is one.
[[nodiscard]] std::string density_text(const FeatureFacts& facts);
// The same of the mean over active values; empty where there are none.
[[nodiscard]] std::string mean_text(const FeatureFacts& facts);

// "of 64 active tokens drawn at random": among which the activating tokens are counted.
[[nodiscard]] std::string counted_among_text(const ActivatingTokens& tokens);
// "1,900 of 2,400 counted tokens, those that are known": the text that tokens are held against. `counted`: see
// TokenBase.
[[nodiscard]] std::string text_base_text(std::uint64_t tokens, std::uint64_t counted);
// "3e-41", "0.02", "< 1e-300"
[[nodiscard]] std::string p_text(double p);
// "210 times", "0.8 times"
[[nodiscard]] std::string lift_text(double lift);

// Why it has none. `threshold`: the run's, from which on samples are kept.
[[nodiscard]] std::string no_samples_text(const FeatureFacts& facts, float threshold);

}  // namespace saetap
