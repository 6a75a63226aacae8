#include "plugin/store/token_rows.h"

#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "plugin/store/part_rows.h"
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

// `rows`: that were read of other parts; these are added.
TokenCounts read_part(Statement& select, PartKind kind, std::uint64_t& rows, const std::string& path) {
  constexpr std::uint64_t kMostRows = std::numeric_limits<std::int64_t>::max();
  TokenCounts counts;
  select.bind(1, std::string_view(part_name(kind)));
  std::int64_t before = -1;
  while (select.step()) {
    const std::int64_t number = select.integer(0);
    const auto block = read_block(select, kMostRows - rows - counts.total(), path);
    if (number == before) throw StoreError(path + ": the store is damaged (tokens counted twice)");
    before = number;
    counts.add_block(static_cast<std::size_t>(number), block);
  }
  rows += counts.total();
  return counts;
}

}  // namespace

void create_token_counts(Database& database) {
  database.execute(kCreateTokenCounts);
}

std::optional<PartTokens> read_token_counts(const Database& database, int site) {
  PartTokens parts;
  if (!has_table(database)) return parts;
  Statement select =
      database.prepare("SELECT block, counts FROM token_count WHERE site = ? AND part = ? ORDER BY block");
  select.bind(0, std::int64_t{site});
  std::uint64_t rows = 0;
  bool fit = true;
  for (const PartKind kind : {PartKind::open, PartKind::closed, PartKind::past}) {
    TokenCounts& counts = parts[static_cast<std::size_t>(kind)] = read_part(select, kind, rows, database.path());
    const auto part = read_part_row(database, site, kind);
    fit = fit && counts.total() <= (part ? part->eligible : 0);
  }
  if (!fit) return std::nullopt;
  return parts;
}

void add_token_counts(const Database& database, int site, PartKind kind, TokenCounts& counts) {
  if (const auto parts = read_token_counts(database, site)) counts.add((*parts)[static_cast<std::size_t>(kind)]);
}

void drop_wrong_token_counts(Database& database, int site) {
  if (read_token_counts(database, site)) return;
  database.prepare("DELETE FROM token_count WHERE site = ?").bind(0, std::int64_t{site}).run();
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
