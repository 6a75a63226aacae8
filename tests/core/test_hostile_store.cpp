// Store files as damage, other programs and ill will make them: every read ends, with a result or one line.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <random>
#include <string>

#include "plugin/store/sqlite.h"
#include "tests/core/file_bytes.h"
#include "tests/core/read_everything.h"
#include "tests/core/rich_store.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::bytes_of;
using saetap::testing::long_form;
using saetap::testing::read_everything;
using saetap::testing::record_fault;
using saetap::testing::RichRun;
using saetap::testing::TemporaryFolder;
using saetap::testing::write_bytes;

namespace {

void change(const std::string& path, const std::string& sql) {
  Database(path, Database::Mode::read_write).execute(sql.c_str());
}

// One line each that begins with the path. (Which bytes of a damaged text it quotes, is the damage's.)
bool are_lines_about(const std::string& path, const std::vector<std::string>& refusals) {
  return std::ranges::all_of(refusals, [&](const std::string& refusal) {
    return refusal.starts_with(path + ": ") && refusal.size() < path.size() + 300 &&
           refusal.find('\n') == std::string::npos;
  });
}

const std::string& rich_store() {
  static const std::string bytes = [] {
    RichRun run;
    run.train(0, 14);
    run.checkpoint(true);
    return bytes_of(run.folder.file("samples.saetap"));
  }();
  return bytes;
}

// The only complaint about the file, whichever of its reads has it; "read" if there is none.
std::string complaint(const std::string& path) {
  const auto refusals = read_everything(path);
  if (refusals.empty()) return "read";
  REQUIRE(are_lines_about(path, refusals));
  return refusals.front().substr(path.size() + 2);
}

}  // namespace

TEST_CASE("a store cut short at any 512th byte is refused") {
  const TemporaryFolder folder;
  const std::string path = folder.file("cut.saetap");
  const std::string& whole = rich_store();
  write_bytes(path, whole);
  REQUIRE(complaint(path) == "read");
  std::size_t tries = 0;
  for (std::size_t length = whole.size() / 512 * 512; length > 0; length -= 512) {
    if (length == whole.size()) continue;
    REQUIRE(::truncate(path.c_str(), static_cast<off_t>(length)) == 0);
    const auto refusals = read_everything(path);
    REQUIRE(refusals.size() == 1);  // nothing of it is shown as if it were whole
    REQUIRE(are_lines_about(path, refusals));
    ++tries;
  }
  record_fault("input", "a store is cut short (at every 512th byte) and read", tries,
               "nothing: it is refused in a line");
}

TEST_CASE("a store with any bit flipped is read, or refused in a line") {
  const TemporaryFolder folder;
  const std::string path = folder.file("flipped.saetap");
  const std::string& whole = rich_store();
  write_bytes(path, whole);
  const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  std::mt19937 random(7);
  const std::size_t stride = long_form() ? 16 : 512;
  std::size_t tries = 0, refused = 0;
  for (std::size_t begin = 0; begin < whole.size(); begin += stride, ++tries) {
    const std::size_t at = std::min(begin + random() % stride, whole.size() - 1);
    const auto flipped = static_cast<char>(whole[at] ^ (1 << random() % 8));
    REQUIRE(::pwrite(file, &flipped, 1, static_cast<off_t>(at)) == 1);
    CAPTURE(at);
    const auto refusals = read_everything(path);
    REQUIRE(are_lines_about(path, refusals));
    refused += refusals.empty() ? 0 : 1;
    REQUIRE(::pwrite(file, &whole[at], 1, static_cast<off_t>(at)) == 1);
  }
  ::close(file);
  CHECK(refused > 0);
  CHECK(complaint(path) == "read");
  record_fault("input", "a single bit of a store is flipped and everything read", tries,
               "what the bit damaged; the rest is read, or the file refused in a line");
}

TEST_CASE("the first bytes of a store, which say how to read it, with every bit flipped") {
  const TemporaryFolder folder;
  const std::string path = folder.file("flipped.saetap");
  std::string bytes = rich_store();
  for (std::size_t bit = 0; bit < 120 * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    write_bytes(path, bytes);
    CAPTURE(bit);
    REQUIRE(are_lines_about(path, read_everything(path)));
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  }
}

TEST_CASE("rows that cannot be are refused, and cost no memory") {
  struct Damage {
    const char* sql;
    const char* said;  // a part of the complaint; "read" where there is nothing to complain of
  };
  const Damage damages[]{
      {"UPDATE site SET features = 1 << 62", "impossible size of a site"},
      {"UPDATE site SET features = -1", "impossible size of a site"},
      {"UPDATE site SET d_out = 1 << 40", "impossible size of a site"},
      {"UPDATE site SET features = 1 << 26", "decoder directions of another size"},
      {"UPDATE site SET features = 2", "a feature the site does not have"},
      {"UPDATE site SET id = -5", "impossible size of a site"},
      {"UPDATE site SET id = 1 << 40", "impossible size of a site"},
      {"UPDATE feature SET feature = 1 << 50 WHERE feature = 3", "a feature the site does not have"},
      {"UPDATE feature SET sum = 9e999 WHERE feature = 3", "a sum that is not a number"},
      {"UPDATE feature SET sum_of_squares = -9e999 WHERE feature = 3", "a sum that is not a number"},
      {"UPDATE feature SET max = 1e300 WHERE feature = 3", "a sum that is not a number"},
      {"UPDATE feature SET first_bin = -1 WHERE feature = 3", "impossible bins"},
      {"UPDATE feature SET first_bin = 9223372036854775807 WHERE feature = 3", "impossible bins"},
      {"UPDATE feature SET bins = zeroblob(80000) WHERE feature = 3", "impossible bins"},
      {"UPDATE feature SET bins = x'FFFFFFFFFFFFFFFF' WHERE feature = 3", "read"},
      {"UPDATE feature SET active = -1, negative = -1, nonfinite = -1", "read"},
      {"UPDATE sample SET activation = zeroblob(4000000) WHERE feature = 3", "sample columns of different lengths"},
      {"UPDATE sample SET activation = CAST(x'0000C07F' || substr(activation, 5) AS BLOB)",
       "a sample that is not a number"},
      {"UPDATE sample SET activation = CAST(x'0000807F' || substr(activation, 5) AS BLOB)",
       "a sample that is not a number"},
      {"UPDATE sample SET position = CAST(x'FFFFFFFF' || substr(position, 5) AS BLOB)", "read"},
      {"UPDATE sample SET context_count = CAST(x'FFFFFF7F' || substr(context_count, 5) AS BLOB)",
       "activations around a sample"},
      {"UPDATE sample SET context_count = CAST(x'00000080' || substr(context_count, 5) AS BLOB)", "read"},
      {"UPDATE sample SET context_count = x''", "sample columns of different lengths"},
      {"UPDATE sample SET context_offset = x'00'", "activations around a sample"},
      {"UPDATE sample SET context_activation = CAST(x'0000C07F' || substr(context_activation, 5) AS BLOB)",
       "activations around a sample"},
      {"UPDATE sample SET alike = x'00'", "which samples are alike"},
      {"UPDATE random_sample SET step = zeroblob(3)", "sample columns of different lengths"},
      {"DELETE FROM decoder; INSERT INTO decoder VALUES(0, 1, zeroblob(72))", "a decoder block is missing"},
      {"DELETE FROM decoder; INSERT INTO decoder VALUES(0, 0, zeroblob(70))", "decoder directions of another size"},
      {"INSERT INTO decoder VALUES(0, 1, zeroblob(1 << 24))", "decoder directions of another size"},
      {"UPDATE token_count SET counts = zeroblob(7)", "impossible tokens in token_count"},
      {"UPDATE token_count SET counts = zeroblob(513 * 8)", "impossible tokens in token_count"},
      {"UPDATE token_count SET counts = zeroblob(1 << 26)", "impossible tokens in token_count"},
      {"UPDATE token_count SET counts = x''", "read"},
      {"UPDATE token_count SET block = -1", "impossible tokens in token_count"},
      {"UPDATE token_count SET block = 4096", "impossible tokens in token_count"},
      {"UPDATE token_count SET block = 1 << 62", "impossible tokens in token_count"},
      {"UPDATE token_count SET block = 4095", "read"},
      {"UPDATE token_count SET counts = x'FFFFFFFFFFFFFFFF'", "more rows of tokens than can be"},
      {"UPDATE token_count SET counts = x'FFFFFFFFFFFFFF3F'", "more rows of tokens than can be"},
      {"UPDATE token_count SET counts = x'FFFFFF0000000000'", "read"},
      {"UPDATE token_count SET counts = x'FFFFFFFFFFFFFF7F' WHERE part = 'past'", "more rows of tokens than can be"},
      {"ALTER TABLE token_count RENAME TO t; CREATE TABLE token_count(site, part, block, counts); INSERT INTO "
       "token_count SELECT * FROM t; INSERT INTO token_count SELECT * FROM t",
       "tokens counted twice"},
      {"DROP TABLE token_count; CREATE TABLE token_count(site, part, block)", "no such column"},
      {"DROP TABLE token_count", "read"},
      {"UPDATE sequence SET length = -1, kept = -1", "read"},
      {"UPDATE sequence SET tokens = x'0102030405'", "read"},
      {"UPDATE sequence SET tokens = zeroblob(1 << 20)", "read"},
      {"UPDATE sequence SET segment = -1 - segment", "read"},
      {"DELETE FROM sequence", "read"},
      {"UPDATE part SET first_step = -1, last_step = -9, eligible = -1, window = -7", "read"},
      {"UPDATE part SET part = 'nobody' WHERE part = 'past'", "read"},
      {"INSERT INTO part SELECT 0, 'more', 0, 0, 0, 0, 0, 9", "more parts than there are"},
      {"UPDATE token SET id = id + (1 << 40)", "read"},
      {"INSERT INTO label VALUES(-1, 1 << 62, '', x'FF', 9e999)", "cannot store BLOB value"},
      {"INSERT INTO label VALUES(-1, 1 << 62, '', '\xFF\xFE', 9e999)", "read"},
      {"UPDATE history SET window = -window, activation = x'00', feature = -1 - feature", "read"},
      {"UPDATE meta SET value = '99999999999999999999' WHERE key = 'sample_context_size'", "is no number"},
      {"UPDATE meta SET value = '4294967295' WHERE key LIKE '%\\_s%' ESCAPE '\\' AND value GLOB '[0-9]*'",
       "impossible keys in meta"},
      {"UPDATE meta SET value = 'nan' WHERE key = 'sample_activation_threshold'", "impossible keys in meta"},
      {"UPDATE meta SET value = '' WHERE key = 'sample_collection_freq'", "is no number"},
      {"DROP TABLE meta", "no such table"},
      {"DROP TABLE sequence", "no such table"},
      {"ALTER TABLE sample DROP COLUMN alike", "no such column"},
      {"PRAGMA user_version = 3", "format version 3; this saetap reads version 5"},
      {"PRAGMA user_version = -2147483648", "format version -2147483648"},
      {"PRAGMA application_id = 0", "not a saetap store"},
  };
  const TemporaryFolder folder;
  const std::string path = folder.file("odd.saetap");
  for (const Damage& damage : damages) {
    const std::string sql = damage.sql;
    CAPTURE(sql);
    write_bytes(path, rich_store());
    std::string found;
    try {
      change(path, sql);
      found = complaint(path);
    } catch (const StoreError& error) {  // SQLite itself does not take it
      found = error.what();
    }
    CAPTURE(found);
    CHECK(found.find(damage.said) != std::string::npos);
  }
  record_fault("input", "rows of a store say what cannot be (sizes, lengths, numbers, missing blocks and tables)",
               std::size(damages), "nothing: what is sound is read, the rest refused in a line");
}

TEST_CASE("a store that says it was imported, and of which any token is not known, is read") {
  const TemporaryFolder folder;
  const std::string path = folder.file("unknown.saetap");
  for (const int token : {0, 1, 7, 40, 63}) {  // of each segment
    CAPTURE(token);
    const std::string bytes = std::to_string(4 * token);
    write_bytes(path, rich_store());
    change(path,
           "INSERT INTO meta VALUES('imported_scope', 'recent'), ('imported_top_features', '10'), "
           "('imported_samples_per_feature', '10')");
    change(path, "UPDATE sequence SET tokens = CAST(substr(tokens, 1, " + bytes +
                     ") || x'FFFFFFFF' || substr(tokens, " + bytes + " + 5) AS BLOB) WHERE length(tokens) > " + bytes);
    CHECK(complaint(path) == "read");
  }
}

TEST_CASE("a table that is a query is refused: it may never end") {
  const TemporaryFolder folder;
  const std::string path = folder.file("query.saetap");
  const std::string tables[][2]{{"meta", "i AS key, i AS value"},
                                {"feature",
                                 "0 AS site, 'open' AS part, 0 AS feature, i AS active, i AS sum, i AS "
                                 "sum_of_squares, 0 AS max, 0 AS nonfinite, 0 AS negative, 0 AS "
                                 "first_bin, x'' AS bins"},
                                {"token", "i AS id, x'41' AS text"},
                                {"token_count", "0 AS site, 'open' AS part, i AS block, x'' AS counts"}};
  for (const auto& named : tables) {
    const std::string& table = named[0];
    const std::string& columns = named[1];
    CAPTURE(table);
    for (const std::string& from :
         {"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT " + columns + " FROM n",
          "SELECT " + columns + " FROM (SELECT 1 AS i)"}) {
      write_bytes(path, rich_store());
      change(path, "DROP TABLE " + table + "; CREATE VIEW " + table + " AS " + from);
      const std::string found = complaint(path);
      CAPTURE(found);
      CHECK((found == "access to view \"" + table + "\" prohibited" || found == "no such table: main.n"));
    }
  }
  record_fault("input", "a table of a store is a query, one without an end too", 2 * std::size(tables),
               "nothing: it is refused in a line");
}

TEST_CASE("what is no file is refused at once") {
  const TemporaryFolder folder;
  const std::string path = folder.file("samples.saetap");
  CHECK(read_everything(path) == std::vector<std::string>{path + ": no such file"});

  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(read_everything(path) == std::vector<std::string>{path + ": not a file"});
  CHECK(read_everything(folder.path()) == std::vector<std::string>{path + ": not a file"});
  REQUIRE(::unlink(path.c_str()) == 0);

  std::filesystem::create_directory(path);
  CHECK(read_everything(folder.path()).front().starts_with(path + ": not a file"));
  std::filesystem::remove(path);

  std::filesystem::create_symlink("nowhere", path);
  CHECK(read_everything(path) == std::vector<std::string>{path + ": no such file"});
  std::filesystem::remove(path);
  std::filesystem::create_symlink("samples.saetap", path);
  CHECK(read_everything(path) == std::vector<std::string>{path + ": no such file"});
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/zero", path);
  CHECK(read_everything(path) == std::vector<std::string>{path + ": not a file"});
  record_fault("input", "a store is a folder, a pipe, a device, a dangling link or a loop of links", 6,
               "nothing: it is refused in a line");
}

TEST_CASE("a store behind a link is read") {
  const TemporaryFolder folder;
  write_bytes(folder.file("elsewhere"), rich_store());
  std::filesystem::create_symlink("elsewhere", folder.file("samples.saetap"));
  CHECK(read_everything(folder.path()).empty());
}
