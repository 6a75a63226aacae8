// What the rules about suspicious features are called, and what they found, in words.
#pragma once

#include <string>

#include "integrations/analysis/site_suspicions.h"
#include "integrations/tokenizers/tokenizer.h"

namespace saetap {

// "one_token", for programs.
[[nodiscard]] const char* name_of(SuspicionKind kind);
// "One token": a heading.
[[nodiscard]] const char* title_of(SuspicionKind kind);
// By what the rule goes, with its bounds.
[[nodiscard]] std::string rule_of(SuspicionKind kind);
// A bound as it was set: "0.95", "20", "95 %".
[[nodiscard]] std::string bound_text(double bound);
[[nodiscard]] std::string bound_percent(double share);
// What was found of one feature, with its n: "61 of 64 random samples are the token “nod”". `tokenizer`: null shows
// ids.
[[nodiscard]] std::string finding_text(SuspicionKind kind, const SuspiciousFeature& one, const Tokenizer* tokenizer);

}  // namespace saetap
