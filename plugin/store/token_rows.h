// The table of token counts: how many of a part's rows were of each token, block by block.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "plugin/collect/site_collection.h"
#include "plugin/collect/token_counts.h"
#include "plugin/store/sqlite.h"

namespace saetap {

// Makes the table where a store was written before there was one.
void create_token_counts(Database& database);

// Of a site, by PartKind.
using PartTokens = std::array<TokenCounts, kPartKinds>;

// Empty if the store has no such table. Nothing if more rows of a part have tokens than were counted in it: a saetap
// that did not know the table went on with the store, and what stands there is of windows that were in these parts
// before. Throws StoreError: a block that cannot be, or more rows than can be counted.
[[nodiscard]] std::optional<PartTokens> read_token_counts(const Database& database, int site);
// Adds those of one part, if they are known. Throws as above.
void add_token_counts(const Database& database, int site, PartKind kind, TokenCounts& counts);

// Takes those of a site out of the store that are not of its parts, or they would stand beside new ones. Throws as
// above.
void drop_wrong_token_counts(Database& database, int site);

// `whole`: all blocks, else those that changed.
void write_token_counts(Database& database, int site, PartKind kind, const TokenCounts& counts, bool whole);

}  // namespace saetap
