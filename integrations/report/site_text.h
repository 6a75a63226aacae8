// Figures of a site as a whole, in words.
#pragma once

#include <string>

#include "integrations/analysis/ranking.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// "240 seen, 100 % collected; of these 98.0 % resolved to their token, …".
[[nodiscard]] std::string tokens_text(const SiteCounts& counts);
// "median 0.41 %, 80 % of features between …". Of a site with features that were active.
[[nodiscard]] std::string density_text(const SiteSummary& summary);
// What a store that was made of a samples.json is of, and what it lacks; empty for others.
[[nodiscard]] std::string imported_text(const RunFacts& run);
// Where the tokens of its rows came from: "fingerprint from MiniLM › forward".
[[nodiscard]] std::string traced_text(const StoredTracing& tracing);

}  // namespace saetap
