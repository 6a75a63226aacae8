// Rows of the store's tables as values. Everything read is checked: a damaged file is a StoreError, never a crash.
#pragma once

#include <cstdint>
#include <vector>

#include "plugin/collect/sample.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_reader.h"

namespace saetap {

[[nodiscard]] RunFacts read_run_facts(const Database& database);
[[nodiscard]] std::vector<StoredSite> read_sites(const Database& database);

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
