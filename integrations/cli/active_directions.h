// The decoder directions of the features that a store shows at work.
#pragma once

#include "integrations/analysis/unit_directions.h"
#include "integrations/cli/opened_store.h"

namespace saetap::cli {

// Of the features that were active in what is read: where the others point is chance. Throws Failure if the store has
// no directions, or StoreError.
[[nodiscard]] UnitDirections active_directions(const OpenedStore& store);

}  // namespace saetap::cli
