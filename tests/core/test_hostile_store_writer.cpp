// What a run meets where its store shall be, and names that are SQL: nothing is lost, nothing is run.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "plugin/store/samples_json.h"
#include "plugin/store/sqlite.h"
#include "plugin/store/store_files.h"
#include "tests/core/file_bytes.h"
#include "tests/core/read_everything.h"
#include "tests/core/rich_store.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::bytes_of;
using saetap::testing::Pipeline;
using saetap::testing::read_everything;
using saetap::testing::record_fault;
using saetap::testing::RichRun;
using saetap::testing::TemporaryFolder;
using saetap::testing::write_bytes;
namespace fs = std::filesystem;

namespace {

std::string rich_store() {
  RichRun run;
  run.train(0, 14);
  return bytes_of(run.folder.file("samples.saetap"));
}

// Names in the folder, without the store's own.
std::set<std::string> others_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename().string());
  names.erase("samples.saetap");
  return names;
}

// A run that writes its store, and goes on with it.
void check_that_a_run_saves(RichRun& run) {
  const std::string path = run.folder.file("samples.saetap");
  run.train(0, 6);
  run.train(6, 14);
  run.checkpoint(true);
  CHECK(fs::symlink_status(path).type() == fs::file_type::regular);
  CHECK(read_everything(path).empty());
  CHECK(StoreReader(path).sites().at(0).all_time.eligible == 14 * 90);
}

}  // namespace

TEST_CASE("a file that lies where the store shall be is moved aside whole") {
  const std::string sound = rich_store();
  std::string damaged = sound;
  for (std::size_t at = 5000; at < damaged.size(); at += 700) damaged[at] = static_cast<char>(~damaged[at]);
  std::string newer = sound;
  newer[63] = 9;  // user_version
  std::string foreign;
  {
    const TemporaryFolder folder;
    Database(folder.file("foreign"), Database::Mode::create)
        .execute("CREATE TABLE meta(key, value); CREATE TABLE t(a)");
    foreign = bytes_of(folder.file("foreign"));
  }
  const std::string contents[]{"a letter",
                               sound,
                               damaged,
                               newer,
                               foreign,
                               sound.substr(0, 100),
                               sound.substr(0, sound.size() / 2),
                               sound.substr(0, sound.size() - 1),
                               std::string(100'000, '\0'),
                               "SQLite format 3" + std::string(1, '\0')};
  for (const std::string& content : contents) {
    CAPTURE(content.substr(0, 20));
    RichRun run;
    write_bytes(run.folder.file("samples.saetap"), content);
    check_that_a_run_saves(run);
    const auto aside = others_in(run.folder.path());
    REQUIRE(aside.size() == 1);
    CHECK(bytes_of(run.folder.file(*aside.begin())) == content);
    CHECK(run.folder.file(*aside.begin()) == run.writer->moved_aside());
  }
  record_fault("input", "another, damaged or foreign file lies where the store shall be", std::size(contents),
               "nothing: it is moved aside unchanged");
}

TEST_CASE("a folder, a pipe or a link to a device where the store shall be is moved aside") {
  for (const std::string kind : {"folder", "pipe", "device"}) {
    CAPTURE(kind);
    RichRun run;
    const std::string path = run.folder.file("samples.saetap");
    if (kind == "folder") fs::create_directory(path);
    if (kind == "folder") write_bytes(path + "/letter", "a letter");
    if (kind == "pipe") REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    if (kind == "device") fs::create_symlink("/dev/null", path);
    check_that_a_run_saves(run);
    const auto aside = others_in(run.folder.path());
    REQUIRE(aside.size() == 1);
    if (kind == "folder") CHECK(bytes_of(run.folder.file(*aside.begin()) + "/letter") == "a letter");
    if (kind == "pipe") CHECK(fs::is_fifo(run.folder.file(*aside.begin())));
  }
  record_fault("input", "a folder, a pipe or a device is where the store shall be", 3, "nothing: it is moved aside");
}

TEST_CASE("a link is followed to where the store shall be, and a loop of links is a reason") {
  RichRun run;
  const std::string path = run.folder.file("samples.saetap");
  const TemporaryFolder disk;
  fs::create_symlink(disk.file("big"), path);
  run.train(0, 6);
  CHECK(fs::is_symlink(path));
  CHECK(read_everything(disk.file("big")).empty());
  CHECK(StoreReader(path).sites().at(0).all_time.eligible == 6 * 90);

  RichRun looped;
  fs::create_symlink("samples.saetap", looped.folder.file("samples.saetap"));
  CHECK_THROWS_AS(looped.train(0, 3), StoreError);
  fs::remove(looped.folder.file("samples.saetap"));
  looped.checkpoint();
  CHECK(StoreReader(looped.folder.path()).sites().at(0).all_time.eligible == 3 * 90);
  record_fault("input", "the store is a link elsewhere, or a loop of links", 2,
               "nothing: a link is followed, a loop is kept in memory until it is gone");
}

TEST_CASE("names that are SQL are names") {
  const std::string name = "'); DROP TABLE sample; --\"`;[%s]{}\n\t\x1b[31m\xFF" + std::string(1, '\0') + "x";
  RichRun run;
  run.site.name = name;
  run.site.module_type = run.site.method = run.site.description = name;
  run.header.program = run.header.tokenizer = run.header.libtorch_version = name;
  run.header.run_id = name;
  run.token_text = [&](std::int32_t) { return std::optional<std::string>(name); };
  run.train(0, 14);
  const StoreReader store = run.saved();
  CHECK(read_everything(store.path()).empty());
  CHECK(store.sites().at(0).site.name == name);
  CHECK(store.sites().at(0).site.description == name);
  CHECK(store.run().program == name);
  CHECK(store.token_texts().at(3).second == name);
  CHECK(store.samples(0, 3, Scope::all_time).size() == 10);

  const std::string json = run.folder.file("samples.json");
  write_samples_json(store, json, {});
  CHECK(read_samples_json(json).sites.at(0).name.starts_with("'); DROP TABLE sample; --\"`;"));
  record_fault("input", "a site, module, program, token text or run is named '); DROP TABLE sample; --", 1, "nothing");
}

TEST_CASE("rubbish in tables that others fill does not stop a run") {
  RichRun run;
  run.train(0, 6);
  {
    Database database(run.folder.file("samples.saetap"), Database::Mode::read_write);
    database.execute("INSERT INTO label VALUES(-7, 1 << 62, '''; --', hex(zeroblob(1000)), -9e999)");
    database.execute("UPDATE history SET window = -window, activation = x'00'");
    database.execute("UPDATE past_window SET window = -window, eligible = -1");
    database.execute(
        "INSERT INTO history SELECT site, 2, feature, 0, 0, 0, 0, 0, 0, x'', x'', x'', x'', x'', x'', x'', x'' "
        "FROM feature GROUP BY site, feature");
    database.execute("CREATE TABLE other(a); INSERT INTO other VALUES('; DROP TABLE sample')");
  }
  run.train(6, 14);
  run.checkpoint(true);
  CHECK(run.writer->moved_aside().empty());
  CHECK(read_everything(run.folder.path()).empty());
  CHECK(StoreReader(run.folder.path()).sites().at(0).all_time.eligible == 14 * 90);
  record_fault("input", "label and history of a running store are filled with rubbish", 1, "nothing");
}

TEST_CASE("a store in a folder with any name") {
  const TemporaryFolder folder;
  const std::string names[]{"two\nlines",
                            "\"quotes'",
                            "100%",
                            "a?b#c",
                            "  spaces  ",
                            "-leading",
                            "münchen→東",
                            "not utf-8 \xFF\xFE",
                            "semi;colon",
                            "file:a?mode=memory",
                            std::string(200, 'x')};
  for (const std::string& name : names) {
    CAPTURE(name);
    RichRun run;
    const std::string path = folder.file(name) + "/samples.saetap";
    run.writer = std::make_unique<StoreWriter>(path, run.header);
    run.train(0, 6);
    run.checkpoint(true);
    CHECK(read_everything(folder.file(name)).empty());
    CHECK(StoreReader(folder.file(name)).path() == path);
    write_samples_json(StoreReader(path), folder.file(name) + "/samples.json", {});
    CHECK(others_in(folder.file(name)) == std::set<std::string>{"samples.json"});
  }
  record_fault("input", "the folder of a store has odd characters in its name", std::size(names), "nothing");
}
