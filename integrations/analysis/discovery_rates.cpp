#include "integrations/analysis/discovery_rates.h"

#include <algorithm>
#include <utility>

#include "integrations/analysis/token_enrichment.h"

namespace saetap {

DiscoveryRates::DiscoveryRates(std::vector<double> best) : best_(std::move(best)) {
  std::ranges::sort(best_);
  adjusted_ = benjamini_hochberg(best_);
}

double DiscoveryRates::q(double p) const {
  const auto reached = static_cast<std::size_t>(std::ranges::upper_bound(best_, p) - best_.begin());
  if (reached == 0) return 1;
  const double own = p * static_cast<double>(best_.size()) / static_cast<double>(reached);
  const double next = reached < best_.size() ? adjusted_[reached] : 1;
  return std::min({own, next, 1.0});
}

}  // namespace saetap
