// All rules of suspicious_features.h, on what a store holds of a site.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "integrations/analysis/similar_features.h"
#include "integrations/analysis/suspicious_features.h"
#include "plugin/store/store_reader.h"

namespace saetap {

enum class SuspicionKind : std::uint8_t {
  nonfinite,
  dense,
  never_active,
  died,
  came_back,
  one_token,
  position_locked,
  duplicate_direction,
  same_strongest,
  negative,
};

struct SiteSuspicion {
  SuspicionKind kind = SuspicionKind::dense;
  Suspicion found;
  std::string not_judged;  // why the rule could not look at any feature; empty if it could
};

// In the order of the kinds. `nearest`: of each feature its nearest others by decoder cosine, best first; lists of
// features that were not asked about are empty. `tick` gets the number of features read: each is read twice. Throws
// StoreError.
[[nodiscard]] std::vector<SiteSuspicion> read_suspicions(const StoreReader& store, const StoredSite& site, Scope scope,
                                                         std::span<const std::vector<Neighbor>> nearest,
                                                         const FeatureProgress& tick);

}  // namespace saetap
