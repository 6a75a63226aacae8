// The store as a file: what it refuses, what it leaves alone, how it survives.
#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>

#include "plugin/store/sqlite.h"
#include "tests/core/file_bytes.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::bytes_of;
using saetap::testing::Pipeline;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;
using saetap::testing::write_bytes;

namespace {

void train(Pipeline& pipeline, std::uint64_t step, float activation = 1.0f) {
  const auto token = static_cast<std::int32_t>(step);
  pipeline.sequence(step, {token, token + 1},
                    {Row(static_cast<std::size_t>(pipeline.site.features), activation),
                     Row(static_cast<std::size_t>(pipeline.site.features), activation / 2)});
}

std::string refusal(const std::string& path) {
  try {
    const StoreReader store(path);
    for (std::uint32_t feature = 0; feature < store.sites().at(0).site.features; ++feature) {
      for (const Sample& sample : store.samples(0, feature, Scope::all_time)) (void)store.context(sample, 20, 20);
      (void)store.histogram(0, feature, Scope::all_time);
    }
    (void)store.statistics(0, Scope::all_time);
    (void)store.decoder_directions(0);
  } catch (const StoreError& error) {
    return error.what();
  }
  return "accepted";
}

void change(const std::string& path, const char* sql) {
  Database(path, Database::Mode::read_write).execute(sql);
}

std::set<std::string> files_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

}  // namespace

TEST_CASE("what is not a store is refused in one line that says why") {
  const TemporaryFolder folder;
  CHECK(refusal(folder.path()) == folder.file("samples.saetap") + ": no such file");
  CHECK(refusal(folder.file("no.saetap")) == folder.file("no.saetap") + ": no such file");
  write_bytes(folder.file("empty.saetap"), "");
  CHECK(refusal(folder.file("empty.saetap")) == folder.file("empty.saetap") + ": empty, no checkpoint was saved yet");
  write_bytes(folder.file("text.saetap"), std::string(5000, 'x'));
  CHECK(refusal(folder.file("text.saetap")) ==
        folder.file("text.saetap") + ": not a saetap store (not an SQLite file)");
  Database(folder.file("other.saetap"), Database::Mode::create).execute("CREATE TABLE t(a)");
  CHECK(refusal(folder.file("other.saetap")) == folder.file("other.saetap") + ": not a saetap store");
}

TEST_CASE("a store of a newer format is refused, with both versions") {
  Pipeline pipeline(2);
  train(pipeline, 0);
  pipeline.checkpoint();
  const std::string path = pipeline.folder.file("samples.saetap");
  REQUIRE(refusal(path) == "accepted");
  change(path, "PRAGMA user_version = 6");
  CHECK(refusal(path) == path + ": format version 6; this saetap reads version 5");
}

TEST_CASE("a store that ends early is refused at every length") {
  Pipeline pipeline(5);
  pipeline.decoder.assign(15, 0x3C00);
  train(pipeline, 0);
  pipeline.checkpoint();
  const std::string whole = bytes_of(pipeline.folder.file("samples.saetap"));
  const std::string path = pipeline.folder.file("cut.saetap");
  for (std::size_t length = 1; length < whole.size(); length += length < 200 ? 1 : 1021) {
    write_bytes(path, whole.substr(0, length));
    REQUIRE(refusal(path).starts_with(path + ": "));
  }
}

TEST_CASE("flipped bytes never crash the reader") {
  Pipeline pipeline(5);
  pipeline.decoder.assign(15, 0x3C00);
  train(pipeline, 0);
  pipeline.checkpoint();
  const std::string whole = bytes_of(pipeline.folder.file("samples.saetap"));
  const std::string path = pipeline.folder.file("flipped.saetap");
  for (std::size_t at = 0; at < whole.size(); at += at < 4096 ? 5 : 509) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x5A);
    write_bytes(path, flipped);
    (void)refusal(path);
  }
  CHECK(refusal(pipeline.folder.file("samples.saetap")) == "accepted");
}

TEST_CASE("columns that do not agree are refused, not read past their end") {
  const char* const damages[]{
      "UPDATE sample SET position = x'00000000' WHERE feature = 1",
      "UPDATE sample SET activation = x'0000' WHERE feature = 1",
      "UPDATE sample SET sequence = x'' WHERE feature = 1",
      "UPDATE sample SET activation = x'0000C07F0000C07F' WHERE feature = 1",  // NaN
      "UPDATE feature SET feature = 1000000 WHERE feature = 1",
      "UPDATE feature SET feature = -1 WHERE feature = 1",
      "UPDATE decoder SET directions = x'003C'",
      "UPDATE site SET features = 4000000000000000000",
      "UPDATE site SET d_out = -1",
      "UPDATE meta SET value = 'many' WHERE key = 'max_samples_per_feature'",
      "DELETE FROM meta WHERE key = 'sample_context_size'",
      "UPDATE feature SET bins = x'00000000000000000000' WHERE feature = 1",
      "UPDATE feature SET first_bin = 100000 WHERE feature = 1",
      "DROP TABLE feature",
      "DROP TABLE sample",
  };
  for (const char* damage : damages) {
    CAPTURE(damage);
    Pipeline pipeline(5);
    pipeline.decoder.assign(15, 0x3C00);
    train(pipeline, 0);
    pipeline.checkpoint();
    const std::string path = pipeline.folder.file("samples.saetap");
    REQUIRE(refusal(path) == "accepted");
    change(path, damage);
    CHECK(refusal(path).starts_with(path + ": "));
  }
}

TEST_CASE("a reader goes on after a damaged row") {
  Pipeline pipeline(3);
  train(pipeline, 0);
  pipeline.checkpoint();
  change(pipeline.folder.file("samples.saetap"), "UPDATE sample SET step = x'00' WHERE feature = 1");
  const StoreReader store(pipeline.folder.path());
  CHECK_THROWS_AS((void)store.samples(0, 1, Scope::recent), StoreError);
  CHECK(store.samples(0, 2, Scope::recent).size() == 2);
}

TEST_CASE("what is read together is of one checkpoint, and who wants to save waits for its end") {
  Pipeline pipeline(1);
  train(pipeline, 0);
  pipeline.checkpoint();
  sqlite3* opened = nullptr;
  REQUIRE(sqlite3_open(pipeline.folder.file("samples.saetap").c_str(), &opened) == SQLITE_OK);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> other(opened, sqlite3_close);
  const auto save = [&] {
    return sqlite3_exec(opened, "UPDATE feature SET active = active + 1", nullptr, nullptr, nullptr);
  };
  const StoreReader store(pipeline.folder.path());
  const auto active = [&] { return store.feature_statistics(0, 0, Scope::recent).active; };
  {
    const StoreReader::Together together(store);
    CHECK(active() == 2);
    { const StoreReader::Together within(store); }
    CHECK(save() == SQLITE_BUSY);
    CHECK(active() == 2);
  }
  CHECK(save() == SQLITE_OK);
  CHECK(active() == 3);
}

TEST_CASE("missing or odd tokens give a shorter context, not a wrong one") {
  CollectorOptions options;
  options.sample_context_size = 100;
  Pipeline pipeline(1, options);
  std::vector<std::int32_t> tokens(300);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i);
  std::vector<Row> rows(300, Row{0.0f});
  rows[150] = {1.0f};
  pipeline.sequence(0, tokens, rows);
  pipeline.checkpoint();
  const std::string path = pipeline.folder.file("samples.saetap");
  const auto context = [&] {
    const StoreReader store(path);
    return store.context(store.samples(0, 0, Scope::recent).at(0), 100, 100);
  };
  CHECK(context().tokens.front() == 50);
  CHECK(context().tokens.back() == 250);
  change(path, "DELETE FROM sequence WHERE segment = 1");  // tokens 64 to 127
  CHECK(context().tokens.front() == 128);
  CHECK(context().activating == 22);
  change(path, "DELETE FROM sequence WHERE segment = 3");
  CHECK(context().tokens.back() == 191);
  change(path, "UPDATE sequence SET tokens = x'0000' WHERE segment = 2");
  CHECK(context().tokens.empty());
}

TEST_CASE("the text behind a window's top ten stays when no part needs it any more") {
  CollectorOptions options;
  options.random_samples_per_feature = 0;
  options.max_samples_per_feature = 1;
  options.window_rule = {WindowRule::Kind::fixed, 1};
  Pipeline pipeline(1, options);
  for (std::uint64_t step = 0; step < 6; ++step) {
    train(pipeline, step, static_cast<float>(step + 1));  // each window's sample beats all before
    pipeline.checkpoint();
  }
  // Windows 0 to 3 are history, 4 is closed: of all these only the store has the text, {n, n + 1}.
  CHECK(pipeline.collector.sequences().segments().size() == 1);
  const StoreReader store(pipeline.folder.path());
  for (std::int32_t step = 0; step < 6; ++step) {
    const SequenceId id = sequence_id(std::vector<std::int32_t>{step, step + 1});
    CHECK(store.context({id, 1.0f, 0, 0}, 5, 5).tokens == std::vector<std::int32_t>{step, step + 1});
  }
}

TEST_CASE("a text that nothing needs any more leaves the file") {
  CollectorOptions options;
  options.random_samples_per_feature = 0;
  options.max_samples_per_feature = 1;
  options.window_rule.kind = WindowRule::Kind::single;
  Pipeline pipeline(1, options);
  train(pipeline, 0, 1.0f);
  pipeline.checkpoint();
  train(pipeline, 1, 2.0f);
  pipeline.checkpoint();
  const StoreReader store(pipeline.folder.path());
  CHECK(store.context({sequence_id(std::vector<std::int32_t>{0, 1}), 1.0f, 0, 0}, 5, 5).tokens.empty());
  CHECK(store.context({sequence_id(std::vector<std::int32_t>{1, 2}), 1.0f, 0, 0}, 5, 5).tokens.size() == 2);
}

TEST_CASE("only its owner can read a store") {
  Pipeline pipeline(1);
  train(pipeline, 0);
  pipeline.checkpoint();
  struct stat status {};
  REQUIRE(::stat(pipeline.folder.file("samples.saetap").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("another run's file is moved aside whole") {
  TemporaryFolder folder;
  const std::string path = folder.file("samples.saetap");
  const auto run = [&](const std::string& id, float activation) {
    Pipeline pipeline(1);
    pipeline.header.run_id = id;
    pipeline.writer = std::make_unique<StoreWriter>(path, pipeline.header);
    train(pipeline, 0, activation);
    pipeline.checkpoint();
    train(pipeline, 1, activation);
    pipeline.checkpoint();
  };
  run("first", 1.0f);
  CHECK(files_in(folder.path()).size() == 1);
  const std::string saved = StoreReader(path).run().saved;
  run("second", 2.0f);
  run("third", 3.0f);
  CHECK(files_in(folder.path()).size() == 3);
  CHECK(StoreReader(path).samples(0, 0, Scope::recent).at(0).activation == 3);
  const std::string day = saved.substr(0, 4) + saved.substr(5, 2) + saved.substr(8, 2) + "T" + saved.substr(11, 2) +
                          saved.substr(14, 2) + saved.substr(17, 2) + "Z";
  const StoreReader first(folder.file("samples-" + day + ".saetap"));
  CHECK(first.samples(0, 0, Scope::recent).at(0).activation == 1);
}

TEST_CASE("two living runs in one folder go on in a file each; what lies beside a store goes with it") {
  TemporaryFolder folder;
  const std::string path = folder.file("samples.saetap");
  Pipeline first(1), second(1);
  first.header.run_id = "first";
  second.header.run_id = "second";
  first.writer = std::make_unique<StoreWriter>(path, first.header);
  second.writer = std::make_unique<StoreWriter>(path, second.header);
  for (std::uint64_t step = 0; step < 5; ++step) {
    train(first, step, 1.0f);
    first.checkpoint();
    if (step == 0) write_bytes(folder.file("samples.json"), "{}");
    train(second, step, 2.0f);
    second.checkpoint();
  }
  // The first one's store of step 0 was moved aside once, with its JSON, and gone on with there.
  CHECK(files_in(folder.path()).size() == 3);
  CHECK(first.writer->path() == second.writer->moved_aside());
  CHECK(second.writer->path() == path);
  CHECK_FALSE(std::filesystem::exists(folder.file("samples.json")));
  CHECK(std::filesystem::exists(std::filesystem::path(second.writer->moved_aside()).replace_extension(".json")));
  CHECK(StoreReader(first.writer->path()).run().run_id == "first");
  CHECK(StoreReader(first.writer->path()).run().lost_before == 0);
  CHECK(StoreReader(first.writer->path()).samples(0, 0, Scope::recent).at(0).activation == 1);
  CHECK(StoreReader(first.writer->path()).sites().at(0).recent.last_step == 4);
  CHECK(StoreReader(path).samples(0, 0, Scope::recent).at(0).activation == 2);
}

TEST_CASE("a file that is no store is moved aside, too") {
  Pipeline pipeline(1);
  const std::string path = pipeline.folder.file("samples.saetap");
  write_bytes(path, "a letter");
  train(pipeline, 0);
  pipeline.checkpoint();
  CHECK(refusal(path) == "accepted");
  std::set<std::string> names = files_in(pipeline.folder.path());
  names.erase("samples.saetap");
  REQUIRE(names.size() == 1);
  CHECK(bytes_of(pipeline.folder.file(*names.begin())) == "a letter");
}

TEST_CASE("a store that is damaged in the middle of a run is moved aside, and a whole one written") {
  Pipeline pipeline(200);
  const std::string path = pipeline.folder.file("samples.saetap");
  train(pipeline, 0, 1.0f);
  pipeline.checkpoint();
  // Every page but the first few, which tell whose it is.
  const std::string sound = bytes_of(path);
  const std::size_t kept = 4096 * 4;
  REQUIRE(sound.size() > 2 * kept);
  write_bytes(path, sound.substr(0, kept) + std::string(sound.size() - kept, '\xA5'));
  train(pipeline, 1, 2.0f);
  for (int tries = 0; tries < 3; ++tries) {
    try {
      pipeline.writer->save(pipeline.collector, CheckpointEvent{});
      break;
    } catch (const StoreError&) {
    }
  }
  CHECK(StoreReader(path).samples(0, 0, Scope::recent).size() == 4);
  CHECK(StoreReader(path).samples(0, 0, Scope::recent).at(0).activation == 2);
  CHECK(std::filesystem::exists(pipeline.writer->moved_aside()));
}

TEST_CASE("a file that went away or was replaced in the middle of a run is written anew") {
  Pipeline pipeline(1);
  train(pipeline, 0, 1.0f);
  pipeline.checkpoint();
  std::filesystem::remove_all(pipeline.folder.path());
  train(pipeline, 1, 2.0f);
  pipeline.checkpoint();
  CHECK(StoreReader(pipeline.folder.path()).samples(0, 0, Scope::recent).size() == 4);
  write_bytes(pipeline.folder.file("samples.saetap"), "a letter");
  pipeline.checkpoint();
  CHECK(StoreReader(pipeline.folder.path()).samples(0, 0, Scope::recent).size() == 4);
}

TEST_CASE("what cannot be written is a StoreError, and the file keeps its last checkpoint") {
  Pipeline pipeline(1);
  train(pipeline, 0, 1.0f);
  pipeline.checkpoint();
  train(pipeline, 1, 2.0f);
  {
    // Somebody else's lock, held longer than a checkpoint waits, would make the test slow: a full table does the same.
    Database blocked(pipeline.folder.file("samples.saetap"), Database::Mode::read_write);
    blocked.execute("CREATE TRIGGER full BEFORE INSERT ON feature BEGIN SELECT raise(ABORT, 'full'); END");
  }
  CHECK_THROWS_AS(pipeline.checkpoint(), StoreError);
  CHECK(StoreReader(pipeline.folder.path()).samples(0, 0, Scope::recent).size() == 2);
  change(pipeline.folder.file("samples.saetap"), "DROP TRIGGER full");
  CHECK(pipeline.saved().samples(0, 0, Scope::recent).size() == 4);

  StoreWriter nowhere("/proc/saetap/samples.saetap", pipeline.header);
  CHECK_THROWS_AS(nowhere.save(pipeline.collector, {}), StoreError);
}

TEST_CASE("decoder directions of many features come back in order") {
  Pipeline pipeline(2500);
  for (std::uint32_t i = 0; i < 7500; ++i) pipeline.decoder.push_back(static_cast<std::uint16_t>(0x3C00 + i % 1024));
  pipeline.checkpoint();
  const std::vector<float> directions = StoreReader(pipeline.folder.path()).decoder_directions(0);
  REQUIRE(directions.size() == 7500);
  for (std::uint32_t i = 0; i < 7500; ++i) REQUIRE(directions[i] == 1.0f + static_cast<float>(i % 1024) / 1024.0f);
}

TEST_CASE("a run whose store lies aside is not led astray by others' files there, nor by its own that was not sound") {
  Pipeline run(1);
  const std::string path = run.folder.file("samples.saetap");
  train(run, 0);
  run.checkpoint();
  const std::string foreign = run.folder.file("samples-20260101T000000Z.saetap");
  write_bytes(foreign, "a letter");
  std::filesystem::permissions(foreign, std::filesystem::perms::owner_read);
  std::filesystem::remove(path);
  train(run, 1);
  run.checkpoint();
  CHECK(run.writer->path() == path);
  CHECK(bytes_of(foreign) == "a letter");
  // Not sound any more: it is moved aside, and a new one begun under the old name, however often that fails.
  run.writer->begin_anew(2);
  for (int i = 0; i < 3; ++i) {
    Database reader(path, Database::Mode::read_write);
    reader.execute("BEGIN EXCLUSIVE");
    CHECK_THROWS_AS(run.checkpoint(), StoreError);
  }
  run.checkpoint();
  CHECK(run.writer->path() == path);
}
