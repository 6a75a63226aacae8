// A sound store in which values are replaced by the bytes of the try: what SQLite itself would not notice.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "plugin/store/sqlite.h"
#include "tests/core/read_everything.h"
#include "tests/core/rich_store.h"
#include "tests/fuzz/fuzzed_file.h"

namespace {

using saetap::Database;

// Every column that is read, as "UPDATE … SET column = ? … " for one row of the table.
std::vector<std::string> updates(const Database& database) {
  std::vector<std::string> all;
  saetap::Statement columns = database.prepare(
      "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT "
      "LIKE 'sqlite%'");
  while (columns.step()) {
    const std::string table = columns.text(0);
    const std::string column = columns.text(1);
    all.push_back("UPDATE OR IGNORE " + table + " SET " + column + " = ? WHERE (" + column + ") IN (SELECT " + column +
                  " FROM " + table + " LIMIT 1 OFFSET ?)");
  }
  return all;
}

const std::string& sound_store() {
  static const std::string bytes = [] {
    saetap::testing::RichRun run(3);
    run.train(0, 9);
    const std::string path = run.folder.file("samples.saetap");
    Database(path, Database::Mode::read_write).execute("PRAGMA page_size = 512; VACUUM");
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  return bytes;
}

void replace_values(Database& database, FuzzedDataProvider& given) {
  static const std::vector<std::string> all = updates(database);
  database.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
  for (int n = 0; n < 8 && given.remaining_bytes() > 0; ++n) {
    saetap::Statement update =
        database.prepare(all[given.ConsumeIntegralInRange<std::size_t>(0, all.size() - 1)].c_str());
    update.bind(1, std::int64_t{given.ConsumeIntegral<std::uint8_t>() % 16});
    const int kind = given.ConsumeIntegralInRange(0, 3);
    const std::string text = kind > 1 ? given.ConsumeRandomLengthString(400) : "";
    if (kind == 0) update.bind(0, given.ConsumeIntegral<std::int64_t>());
    if (kind == 1) update.bind(0, given.ConsumeFloatingPoint<double>());
    if (kind == 2) update.bind(0, std::string_view(text));
    if (kind == 3) update.bind_blob(0, std::as_bytes(std::span(text)));
    try {
      update.run();
    } catch (const saetap::StoreError&) {  // a type that the column does not take
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string& sound = sound_store();
  const std::string path = saetap::testing::fuzzed_file("fuzzed.saetap", sound.data(), sound.size());
  FuzzedDataProvider given(bytes, size);
  {
    Database database(path, Database::Mode::read_write);
    replace_values(database, given);
  }
  for (const std::string& refusal : saetap::testing::read_everything(path)) {
    if (!refusal.starts_with(path + ": ")) std::abort();
  }
  return 0;
}
