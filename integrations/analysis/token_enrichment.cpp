#include "integrations/analysis/token_enrichment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "integrations/analysis/activating_tokens.h"

namespace saetap {
namespace {

struct Urn {
  std::uint64_t draws, marked, all;

  // P(X = hits), as a logarithm: the ways to place the hits among the draws, times what each draw in turn is likely to
  // be. Every factor but the first is at most 1.
  [[nodiscard]] double log_probability(std::uint64_t hits) const {
    double sum = 0;
    for (std::uint64_t i = 0; i < hits; ++i) {
      sum += std::log(ratio(draws - i, i + 1)) + std::log(ratio(marked - i, all - i));
    }
    const double missing = static_cast<double>(marked - hits);
    for (std::uint64_t i = 0; i < draws - hits; ++i) sum += std::log1p(-missing / static_cast<double>(all - hits - i));
    return sum;
  }
  // P(X = hits + 1) / P(X = hits).
  [[nodiscard]] double step_up(std::uint64_t hits) const {
    return ratio(marked - hits, hits + 1) * ratio(draws - hits, all - marked - draws + hits + 1);
  }
  // The fewest hits there can be: where there is too little else to draw.
  [[nodiscard]] std::uint64_t fewest() const { return draws > all - marked ? draws - (all - marked) : 0; }
  [[nodiscard]] std::uint64_t most() const { return std::min(draws, marked); }

 private:
  static double ratio(std::uint64_t a, std::uint64_t b) { return static_cast<double>(a) / static_cast<double>(b); }
};

// Of P(X >= hits) over P(X = hits).
double terms_upwards(const Urn& urn, std::uint64_t hits) {
  double sum = 1, term = 1;
  for (std::uint64_t i = hits; i < urn.most() && term > sum * std::numeric_limits<double>::epsilon() / 64; ++i) {
    term *= urn.step_up(i);
    sum += term;
  }
  return sum;
}

// Of P(X <= hits) over P(X = hits).
double terms_downwards(const Urn& urn, std::uint64_t hits) {
  double sum = 1, term = 1;
  for (std::uint64_t i = hits; i > urn.fewest() && term > sum * std::numeric_limits<double>::epsilon() / 64; --i) {
    term /= urn.step_up(i - 1);
    sum += term;
  }
  return sum;
}

}  // namespace

double hypergeometric_tail(std::uint64_t hits, std::uint64_t draws, std::uint64_t marked, std::uint64_t all) {
  const Urn urn{draws, marked, all};
  if (hits <= urn.fewest()) return 1;
  const double mean = static_cast<double>(draws) * (static_cast<double>(marked) / static_cast<double>(all));
  // From the term nearest to the middle, whose neighbours on this side become smaller and smaller.
  if (static_cast<double>(hits) > mean) {
    return std::min(1.0, std::exp(urn.log_probability(hits)) * terms_upwards(urn, hits));
  }
  return std::max(0.0, 1 - std::exp(urn.log_probability(hits - 1)) * terms_downwards(urn, hits - 1));
}

std::vector<EnrichedToken> enriched_tokens(std::span<const std::int32_t> tokens, const TokenBase& text) {
  std::vector<EnrichedToken> found;
  if (tokens.empty() || text.total() == 0) return found;
  const std::uint64_t all = std::max<std::uint64_t>(text.total(), tokens.size());
  for (const auto& [token, count] : commonest(tokens, tokens.size())) {
    const std::uint64_t marked = std::max(text.count(token), count);
    const double share = static_cast<double>(count) / static_cast<double>(tokens.size());
    found.push_back({.token = token,
                     .count = count,
                     .of = tokens.size(),
                     .lift = share / (static_cast<double>(marked) / static_cast<double>(all)),
                     .p = hypergeometric_tail(count, tokens.size(), marked, all)});
  }
  std::ranges::sort(found, {}, [](const EnrichedToken& one) {
    return std::tuple(one.p, std::numeric_limits<std::uint64_t>::max() - one.count, one.token);
  });
  const std::size_t tests = std::max(text.distinct(), found.size());
  double corrected = 0;  // never less than that of a more significant one
  for (std::size_t i = 0; i < found.size(); ++i) {
    corrected = std::max(corrected, std::min(1.0, found[i].p * static_cast<double>(tests - i)));
    found[i].p = corrected;
  }
  return found;
}

std::vector<double> benjamini_hochberg(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return p[i]; });
  std::vector<double> adjusted(p.size());
  double lowest = 1;  // never more than that of a less significant one
  for (std::size_t rank = p.size(); rank > 0; --rank) {
    const std::size_t at = order[rank - 1];
    lowest = std::min(lowest, p[at] * static_cast<double>(p.size()) / static_cast<double>(rank));
    adjusted[at] = lowest;
  }
  return adjusted;
}

}  // namespace saetap
