// A sound store in which values are replaced by the bytes of the try: what SQLite itself would not notice.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "plugin/store/sqlite.h"
#include "tests/core/rich_store.h"
#include "tests/fuzz/fuzzed_file.h"

namespace saetap::testing {

struct Column {
  std::string update;  // of one of the first rows of its table: the value, which row
  std::string type;
};

inline std::vector<Column> columns_of(const Database& database) {
  std::vector<Column> all;
  Statement columns = database.prepare(
      "SELECT m.name, c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND "
      "m.name NOT LIKE 'sqlite%'");
  while (columns.step()) {
    const std::string table = columns.text(0);
    const std::string column = columns.text(1);
    all.push_back({"UPDATE OR IGNORE " + table + " SET " + column + " = ? WHERE " + column + " IN (SELECT " + column +
                       " FROM " + table + " LIMIT 1 OFFSET ?)",
                   columns.text(2)});
  }
  return all;
}

inline const std::string& sound_store() {
  static const std::string bytes = [] {
    RichRun run(3);
    run.train(0, 9);
    const std::string path = run.folder.file("samples.saetap");
    Database(path, Database::Mode::read_write).execute("PRAGMA page_size = 512; VACUUM");
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  return bytes;
}

// Numbers at the ends of what columns and their readers hold, or any.
inline std::int64_t integer(FuzzedDataProvider& given) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  constexpr std::array<std::int64_t, 12> kEdges{
      0, -1, 1, kLargest, kLargest - 1, -kLargest - 1, 1LL << 31, 1LL << 32, -(1LL << 31), 1LL << 26, 255, 1019};
  return given.ConsumeBool() ? given.PickValueInArray(kEdges) : given.ConsumeIntegral<std::int64_t>();
}

inline double real(FuzzedDataProvider& given) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr std::array<double, 6> kEdges{0, kInfinity, -kInfinity, 1e300, -1e39, 5e-324};
  return given.ConsumeBool() ? given.PickValueInArray(kEdges) : given.ConsumeFloatingPoint<double>();
}

inline void replace_values(Database& database, FuzzedDataProvider& given) {
  static const std::vector<Column> all = columns_of(database);
  constexpr int kMost = 12;
  database.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN");
  for (int n = 0; n < kMost && given.remaining_bytes() > 0; ++n) {
    const Column& column = all[given.ConsumeIntegralInRange<std::size_t>(0, all.size() - 1)];
    Statement update = database.prepare(column.update.c_str());
    const std::string text = column.type == "TEXT" || column.type == "BLOB" ? given.ConsumeRandomLengthString(80) : "";
    if (column.type == "INTEGER") update.bind(0, integer(given));
    if (column.type == "REAL") update.bind(0, real(given));
    if (column.type == "TEXT") update.bind(0, std::string_view(text));
    if (column.type == "BLOB") update.bind_blob(0, std::as_bytes(std::span(text)));
    update.bind(1, std::int64_t{given.ConsumeIntegral<std::uint8_t>() % 16}).run();
  }
  database.execute("COMMIT");
}

// The sound store, changed, as the file of this try. What is left of the try's bytes stays in `given`.
inline std::string changed_store(FuzzedDataProvider& given) {
  const std::string& sound = sound_store();
  const std::string path = fuzzed_file("fuzzed.saetap", sound.data(), sound.size());
  Database database(path, Database::Mode::read_write);
  replace_values(database, given);
  return path;
}

}  // namespace saetap::testing
