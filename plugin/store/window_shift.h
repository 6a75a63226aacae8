// What a newly closed window moves on in the store.
#pragma once

#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/stored_sequences.h"

namespace saetap {

// For a site whose closed window is about to be written, inside a transaction: the window that the store has as the
// closed one becomes a row of history for each feature, and a part of the past; so does the past that waits in memory.
// Feature by feature, so that memory hardly grows. `redact`: what is left out of what memory has. What a save wrote
// that was reported as failed is not taken a second time. Throws StoreError.
void shift_windows(Database& database, StoredSequences& sequences, const SampleCollector& collector,
                   const SiteCollection& collection, Redact redact);

// After such a save: false if memory has windows folded into one part of which the store has only some.
[[nodiscard]] bool can_be_shifted(const Database& database, const SiteCollection& collection);

}  // namespace saetap
