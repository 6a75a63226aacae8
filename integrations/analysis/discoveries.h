// What the rules of suspicious_features.h that test have in common.
#pragma once

#include "integrations/analysis/suspicious_features.h"

namespace saetap {

// `tested`: every feature with its own p, those that cannot be found with 1. Left are those with a corrected p of
// kDiscoveryRate at most, the surest first, of equal ones those that rest on more.
void keep_discoveries(Suspicion& tested);

}  // namespace saetap
