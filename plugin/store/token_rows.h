// The table of token counts: how many of a part's rows were of each token, block by block.
#pragma once

#include <cstdint>

#include "plugin/collect/site_collection.h"
#include "plugin/collect/token_counts.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// Makes the table where a store was written before there was one.
void create_token_counts(Database& database);

// Adds what the store has of a part: nothing, if it has no such table. Throws StoreError: a block that cannot be, or
// more rows than can be counted.
void add_token_counts(const Database& database, int site, PartKind kind, TokenCounts& counts);

// `whole`: all blocks, else those that changed.
void write_token_counts(Database& database, int site, PartKind kind, const TokenCounts& counts, bool whole);

}  // namespace saetap
