#include "integrations/analysis/discoveries.h"

#include <algorithm>
#include <tuple>

#include "integrations/analysis/token_enrichment.h"

namespace saetap {

void keep_discoveries(Suspicion& tested) {
  std::vector<double> p;
  for (const SuspiciousFeature& one : tested.features) p.push_back(one.p);
  const std::vector<double> corrected = benjamini_hochberg(p);
  for (std::size_t i = 0; i < corrected.size(); ++i) tested.features[i].p = corrected[i];
  std::erase_if(tested.features, [](const SuspiciousFeature& one) { return one.p > kDiscoveryRate; });
  std::ranges::sort(tested.features, [](const SuspiciousFeature& a, const SuspiciousFeature& b) {
    return std::tuple(a.p, b.count, a.feature) < std::tuple(b.p, a.count, b.feature);
  });
}

}  // namespace saetap
