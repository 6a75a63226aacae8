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

// Statistics, distribution, tokens: everything but its samples.
void print_figures(const FeatureFacts& facts, const PageStyle& style);
// Why there are none, or the strongest samples and then the groups of the random sample.
void print_samples(const FeatureFacts& facts, float threshold, const PageStyle& style);
void print_strongest(const FeatureFacts& facts, const PageStyle& style);
// What intervals, lift and p are, for those who read them.
void print_notes(const FeatureFacts& facts, const PageStyle& style);

}  // namespace saetap::cli
