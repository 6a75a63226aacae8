// Which tokens a feature answers to more often than their share of the text would have it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "integrations/analysis/token_base.h"

namespace saetap {

// P(X >= hits) where `draws` of `all` are drawn without replacement and `marked` of them count: Fisher's exact test,
// one-sided. Summed from one term by the ratio of each to the one before, in double, so right to about 1e-12 of itself
// whatever the numbers are (1e12 and more: the term is a product of `draws` ratios, not a difference of log-gammas
// that large). What is below 1e-308 is 0. hits <= draws <= all, hits <= marked <= all; the work grows with `draws`.
[[nodiscard]] double hypergeometric_tail(std::uint64_t hits, std::uint64_t draws, std::uint64_t marked,
                                         std::uint64_t all);

struct EnrichedToken {
  std::int32_t token = 0;
  std::uint64_t count = 0;  // of the tokens looked at
  std::uint64_t of = 0;     // how many these are
  double lift = 0;          // (count / of) / (its share of the text)
  double p = 1;             // of this count or a higher one by chance, corrected as below

  friend bool operator==(const EnrichedToken&, const EnrichedToken&) = default;
};

// Each token among `tokens` (those at a random sample of one feature's active places), most significant first, equal
// ones by count and then by token. `p` is that of hypergeometric_tail, corrected by Holm for as many tests as the text
// has different tokens: any of them could have turned up. A token that the text has less often than `tokens` (an
// estimate) counts as often in it. Empty if `tokens` or the text is.
[[nodiscard]] std::vector<EnrichedToken> enriched_tokens(std::span<const std::int32_t> tokens, const TokenBase& text);

// Adjusted p-values in the order of `p`, each from 0 to 1: what is at most q is a discovery at a false discovery rate
// of q.
[[nodiscard]] std::vector<double> benjamini_hochberg(std::span<const double> p);

}  // namespace saetap
