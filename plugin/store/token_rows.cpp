#include "plugin/store/token_rows.h"

#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "plugin/store/store_format.h"

namespace saetap {
namespace {

bool has_table(const Database& database) {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'token_count'").step();
}

// `left`: how many rows can be counted besides those that were read before.
std::vector<std::uint64_t> read_block(const Statement& row, std::uint64_t left, const std::string& path) {
  const std::span<const std::byte> bytes = row.blob(1);
  const std::int64_t number = row.integer(0);
  std::vector<std::uint64_t> counts(bytes.size() / sizeof(std::uint64_t));
  if (number < 0 || number >= kMostTokenIds / kTokenBlock || counts.size() > kTokenBlock ||
      bytes.size() != counts.size() * sizeof(std::uint64_t)) {
    throw StoreError(path + ": the store is damaged (impossible tokens in token_count)");
  }
  if (!counts.empty()) std::memcpy(counts.data(), bytes.data(), bytes.size());
  for (const std::uint64_t count : counts) {
    if (count > left) throw StoreError(path + ": the store is damaged (more rows of tokens than can be)");
    left -= count;
  }
  return counts;
}

}  // namespace

void create_token_counts(Database& database) {
  database.execute(kCreateTokenCounts);
}

void add_token_counts(const Database& database, int site, PartKind kind, TokenCounts& counts) {
  constexpr std::uint64_t kMostRows = std::numeric_limits<std::int64_t>::max();
  if (!has_table(database)) return;
  Statement select =
      database.prepare("SELECT block, counts FROM token_count WHERE site = ? AND part = ? ORDER BY block");
  select.bind(0, std::int64_t{site}).bind(1, std::string_view(part_name(kind)));
  std::int64_t before = -1;
  while (select.step()) {
    const std::int64_t number = select.integer(0);
    const auto block = read_block(select, kMostRows - counts.total(), database.path());
    if (number == before) throw StoreError(database.path() + ": the store is damaged (tokens counted twice)");
    before = number;
    counts.add_block(static_cast<std::size_t>(number), block);
  }
}

void write_token_counts(Database& database, int site, PartKind kind, const TokenCounts& counts, bool whole) {
  Statement insert = database.prepare("INSERT OR REPLACE INTO token_count VALUES(?, ?, ?, ?)");
  insert.bind(0, std::int64_t{site}).bind(1, std::string_view(part_name(kind)));
  for (std::size_t number = 0; number < counts.blocks(); ++number) {
    const auto block = counts.block(number);
    if (block.empty() || !(whole || counts.changed(number))) continue;
    insert.bind(2, static_cast<std::int64_t>(number)).bind_blob(3, std::as_bytes(block)).run();
  }
}

}  // namespace saetap
