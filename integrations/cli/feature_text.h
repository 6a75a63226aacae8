// One feature on a terminal or in a pipe.
#pragma once

#include <optional>
#include <string>

#include "integrations/analysis/feature_facts.h"
#include "integrations/cli/colors.h"

namespace saetap::cli {

// How it is printed.
struct PageStyle {
  const Tokenizer* tokenizer = nullptr;  // null: ids are shown
  Colors colors;
  std::optional<std::size_t> columns;  // of the terminal; nothing: lines are as long as they are
  bool blocks = false;                 // of the histogram: see histogram_lines
};

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

// Statistics, distribution, tokens: everything but its samples.
void print_figures(const FeatureFacts& facts, const PageStyle& style);
// Why there are none, or the strongest samples and then the groups of the random sample.
void print_samples(const FeatureFacts& facts, float threshold, const PageStyle& style);
void print_strongest(const FeatureFacts& facts, const PageStyle& style);
// What intervals, lift and p are, for those who read them.
void print_notes(const FeatureFacts& facts, const PageStyle& style);

}  // namespace saetap::cli
