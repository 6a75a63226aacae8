// Rows of the store's tables as values. Everything read is checked: a damaged file is a StoreError, never a crash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugin/collect/sample.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_reader.h"

namespace saetap {

[[nodiscard]] RunFacts read_run_facts(const Database& database);
// Throws StoreError for an imported store: it is no part of a run, so none can go on with it or be merged with it.
void check_collected(const RunFacts& run, const std::string& path);
void write_run_facts(Database& database, const RunFacts& run);

[[nodiscard]] std::vector<StoredRun> read_runs(const Database& database);
// In place of what is there of the same run.
void write_run(Database& database, const StoredRun& run);

[[nodiscard]] std::vector<StoredSite> read_sites(const Database& database);
// In place of the site with the same id.
void write_site(Database& database, const Site& site, const SiteCounts& counts, const StoredTracing& tracing);

// No config asks for more, and going on with such a store would take all memory there is.
inline constexpr std::uint32_t kMostContext = 100'000, kMostSamples = 1'000'000;
// Far above any SAE, and small enough that a damaged count cannot ask for all memory.
inline constexpr std::int64_t kMostFeatures = std::int64_t{1} << 26;

// In an imported store's segments: a token that no sample in the samples.json had around it.
inline constexpr std::int32_t kUnknownToken = -1;

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
