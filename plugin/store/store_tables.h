// Rows of the store's tables as values. Everything read is checked: a damaged file is a StoreError, never a crash.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/collect/sample.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_reader.h"

namespace saetap {

[[nodiscard]] RunFacts read_run_facts(const Database& database);
void write_run_facts(Database& database, const RunFacts& run);

[[nodiscard]] std::vector<StoredRun> read_runs(const Database& database);
// In place of what is there of the same run.
void write_run(Database& database, const StoredRun& run);

[[nodiscard]] std::vector<StoredSite> read_sites(const Database& database);
// In place of the site with the same id.
void write_site(Database& database, const Site& site, const SiteCounts& counts, const StoredTracing& tracing);

// Consecutive stored tokens around a position; empty if its own segment is not stored.
struct TokenRun {
  std::uint64_t first = 0;  // position of the first one
  std::vector<std::int32_t> tokens;
  std::uint64_t length = 0;  // of the whole sequence
};
// `segments`: SELECT segment, length, tokens … WHERE id = ? AND segment BETWEEN ? AND ? ORDER BY segment.
[[nodiscard]] TokenRun read_token_run(Statement& segments, const Sample& sample, std::uint32_t before,
                                      std::uint32_t after);

}  // namespace saetap
