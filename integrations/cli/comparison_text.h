// Features of a site beside each other, for people and for programs.
#pragma once

#include <vector>

#include "integrations/analysis/feature_pair.h"
#include "integrations/cli/feature_text.h"
#include "integrations/cli/json_text.h"

namespace saetap::cli {

struct Comparison {
  std::vector<ComparedFeature> features;  // in the order asked for
  std::vector<FeaturePair> pairs;         // each two of them
};

void print_comparison(const Comparison& comparison, float threshold, const PageStyle& style);
// `features` and `pairs`.
[[nodiscard]] Json json_of(const Comparison& comparison, const Tokenizer* tokenizer);

}  // namespace saetap::cli
