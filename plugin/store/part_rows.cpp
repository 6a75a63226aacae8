#include "plugin/store/part_rows.h"

#include <string>

namespace saetap {
namespace {

void bind_key(Statement& statement, int site, PartKind kind) {
  statement.bind(0, std::int64_t{site}).bind(1, std::string_view(part_name(kind)));
}

Statement prepared_for(const Database& database, const char* sql, int site, PartKind kind) {
  Statement statement = database.prepare(sql);
  bind_key(statement, site, kind);
  return statement;
}

}  // namespace

PartRow row_of(const Part& part) {
  return {part.window, part.first_step, part.last_step, part.eligible};
}

std::optional<PartRow> read_part_row(const Database& database, int site, PartKind kind) {
  Statement select = prepared_for(
      database,
      "SELECT window, window_first_step, window_end_step, first_step, last_step, eligible FROM part WHERE site = ? AND "
      "part = ?",
      site, kind);
  if (!select.step()) return std::nullopt;
  const auto number = [&](int column) { return unstored(select.integer(column)); };
  return PartRow{{number(0), number(1), number(2)}, number(3), number(4), number(5)};
}

void write_part_row(Database& database, int site, PartKind kind, const PartRow& row) {
  Statement insert = prepared_for(database, "INSERT OR REPLACE INTO part VALUES(?, ?, ?, ?, ?, ?, ?, ?)", site, kind);
  insert.bind(2, stored(row.window.number)).bind(3, stored(row.window.first_step));
  insert.bind(4, stored(row.window.end_step)).bind(5, stored(row.first_step)).bind(6, stored(row.last_step));
  insert.bind(7, stored(row.eligible)).run();
}

FeatureReader::FeatureReader(const Database& database, int site, PartKind kind)
    : path_(database.path()),
      statistics_(prepared_for(database,
                               "SELECT active, sum, sum_of_squares, max, nonfinite, negative, first_bin, bins FROM "
                               "feature WHERE site = ? AND part = ? AND feature = ?",
                               site, kind)),
      samples_(prepared_for(database,
                            "SELECT activation, sequence, position, step, context_count, context_offset, "
                            "context_activation, alike FROM sample WHERE site = ? AND part = ? AND feature = ?",
                            site, kind)),
      random_samples_(prepared_for(database,
                                   "SELECT activation, sequence, position, step, context_count, context_offset, "
                                   "context_activation FROM random_sample WHERE site = ? AND part = ? AND feature = ?",
                                   site, kind)) {}

FeatureRows FeatureReader::read(std::uint32_t feature, bool with_groups, ContextPool& contexts) {
  FeatureRows rows;
  for (Statement* select : {&statistics_, &samples_, &random_samples_}) select->bind(2, std::int64_t{feature});
  while (statistics_.step()) {
    rows.statistics = read_statistics(statistics_, 0, path_);
    rows.histogram = read_histogram(statistics_, kStatisticsColumns, path_);
  }
  while (samples_.step()) {
    rows.samples = read_samples_with_contexts(samples_, 0, path_, contexts);
    if (with_groups) rows.groups = read_groups(samples_, kAlikeColumn, rows.samples.size(), path_);
  }
  while (random_samples_.step()) {
    rows.random_samples = read_samples_with_contexts(random_samples_, 0, path_, contexts);
  }
  return rows;
}

FeatureWriter::FeatureWriter(const Database& database, int site, PartKind kind, const ContextPool& contexts)
    : statistics_(
          prepared_for(database, "INSERT OR REPLACE INTO feature VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", site, kind)),
      samples_(
          prepared_for(database, "INSERT OR REPLACE INTO sample VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", site, kind)),
      random_samples_(prepared_for(
          database, "INSERT OR REPLACE INTO random_sample VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", site, kind)),
      columns_(contexts) {}

void FeatureWriter::write(std::uint32_t feature, const FeatureRows& rows) {
  if (rows.statistics != FeatureStatistics{}) write_statistics(feature, rows.statistics, rows.histogram);
  if (!rows.samples.empty()) write_samples(feature, rows.samples, rows.groups);
  if (!rows.random_samples.empty()) write_random_samples(feature, rows.random_samples);
}

void FeatureWriter::write_statistics(std::uint32_t feature, const FeatureStatistics& statistics,
                                     const ActivationHistogram& histogram) {
  statistics_.bind(2, std::int64_t{feature});
  bind_statistics(statistics_, 3, statistics);
  bind_histogram(statistics_, 3 + kStatisticsColumns, histogram);
  statistics_.run();
}

void FeatureWriter::write_samples(std::uint32_t feature, std::span<const Sample> samples,
                                  std::span<const std::uint64_t> groups) {
  samples_.bind(2, std::int64_t{feature});
  columns_.bind(samples_, 3, samples);
  samples_.bind_blob(3 + kAlikeColumn, std::as_bytes(groups)).run();
}

void FeatureWriter::write_random_samples(std::uint32_t feature, std::span<const Sample> samples) {
  random_samples_.bind(2, std::int64_t{feature});
  columns_.bind(random_samples_, 3, samples);
  random_samples_.run();
}

HistoryWriter::HistoryWriter(Database& database, int site, const Window& window, std::uint64_t eligible,
                             const ContextPool& contexts)
    : insert_(
          database.prepare("INSERT OR REPLACE INTO history VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
      columns_(contexts) {
  Statement insert = database.prepare("INSERT OR REPLACE INTO past_window VALUES(?, ?, ?, ?, ?)");
  insert.bind(0, std::int64_t{site}).bind(1, stored(window.number)).bind(2, stored(window.first_step));
  insert.bind(3, stored(window.end_step)).bind(4, stored(eligible)).run();
  insert_.bind(0, std::int64_t{site}).bind(1, stored(window.number));
}

void HistoryWriter::write(std::uint32_t feature, const FeatureStatistics& statistics, std::span<const Sample> top,
                          std::span<const std::uint64_t> groups) {
  insert_.bind(2, std::int64_t{feature});
  bind_statistics(insert_, 3, statistics);
  columns_.bind(insert_, 3 + kStatisticsColumns, top);
  insert_.bind_blob(3 + kStatisticsColumns + kAlikeColumn, std::as_bytes(groups)).run();
}

void remove_part(Database& database, int site, PartKind kind) {
  for (const char* table : {"part", "feature", "sample", "random_sample", "token_count"}) {
    const std::string sql = std::string("DELETE FROM ") + table + " WHERE site = ? AND part = ?";
    prepared_for(database, sql.c_str(), site, kind).run();
  }
}

}  // namespace saetap
