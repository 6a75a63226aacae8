// The runs in a store, for people and for programs.
#pragma once

#include <string>

#include "integrations/cli/json_text.h"
#include "plugin/store/store_reader.h"

namespace saetap::cli {

// "rank 2 of 4: 812 steps, not finished in order, started 2026-11-22T19:00:00Z"
[[nodiscard]] std::string run_text(const StoredRun& run);
[[nodiscard]] Json json_of_runs(const StoreReader& store);

}  // namespace saetap::cli
