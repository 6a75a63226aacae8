// A run that goes on with the store of an earlier one: as if it had never stopped.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "plugin/store/resumed_store.h"
#include "plugin/store/store_merge.h"
#include "tests/core/pipeline.h"
#include "tests/core/stored_rows.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::first_difference;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

// A process that goes on with the store that another left.
std::unique_ptr<Pipeline> resumed(const std::string& path, const Pipeline& before, const CollectorOptions& asked,
                                  const std::string& run_id, std::vector<std::string>* differences = nullptr) {
  const ResumedStore store(path);
  std::vector<std::string> lines;
  const CollectorOptions options = store.options(asked, lines);
  auto next = std::make_unique<Pipeline>(before.site.features, options);
  next->sequences = before.sequences;
  next->token_text = before.token_text;
  next->decoder = before.decoder;
  next->header.run_id = run_id;
  next->writer = std::make_unique<StoreWriter>(path, next->header);
  next->writer->go_on(store.stamp());
  const StoredSite* found = store.find(next->site.name);
  REQUIRE(found != nullptr);
  store.take_up(next->site, next->collector);
  next->writer->took_up_site();
  if (differences != nullptr) *differences = lines;
  return next;
}

CollectorOptions random_options(std::mt19937& random) {
  const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  CollectorOptions options;
  options.max_samples_per_feature = 1 + pick(14);
  options.random_samples_per_feature = pick(7);
  options.sample_context_size = pick(21);
  const auto rule = pick(4);
  if (rule < 2) options.window_rule = {WindowRule::Kind::fixed, 1 + pick(20)};
  if (rule == 2) options.window_rule.kind = WindowRule::Kind::single;
  const auto limit = pick(3);
  if (limit == 1) options.limit = {SampleLimit::Alike::same_sequence, 1 + pick(3)};
  if (limit == 2) options.limit = {SampleLimit::Alike::same_text, 1};
  return options;
}

void train(Pipeline& pipeline, std::uint64_t step, std::mt19937& random) {
  const auto pick = [&](std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); };
  // Every other text is one of a few, which come again.
  const auto length = pick(2) == 0 ? 1 + pick(90) : 70;
  std::vector<std::int32_t> text(length, static_cast<std::int32_t>(pick(3)));
  if (length != 70) text[pick(length)] = static_cast<std::int32_t>(pick(40));
  std::vector<Row> rows(text.size(), Row(static_cast<std::size_t>(pipeline.site.features)));
  for (Row& row : rows) {
    for (float& value : row) value = pick(3) == 0 ? static_cast<float>(pick(50)) / 8 - 1 : 0;
  }
  pipeline.sequence(step, text, rows);
}

// The same steps, once in one piece and once in several processes, each of which starts where the one before saved.
void check_run_in_pieces(unsigned seed) {
  std::mt19937 random(seed);
  const CollectorOptions options = random_options(random);
  const std::int64_t features = 1 + static_cast<std::int64_t>(random() % 30);
  const std::uint64_t steps = 1 + random() % 120;
  Pipeline whole(features, options), first(features, options);
  std::vector<std::unique_ptr<Pipeline>> processes;
  Pipeline* now = &first;
  const std::string path = first.folder.file("samples.saetap");
  const unsigned data = random();
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (Pipeline* pipeline : {&whole, now}) {
      std::mt19937 of_step(data + static_cast<unsigned>(step));
      train(*pipeline, step, of_step);
    }
    if (random() % 9 == 0) now->checkpoint();
    if (random() % 12 != 0) continue;
    now->checkpoint(random() % 2 == 0);
    processes.push_back(resumed(path, *now, options, "process-" + std::to_string(processes.size())));
    now = processes.back().get();
  }
  whole.checkpoint(true);
  now->checkpoint(true);
  const std::string difference = first_difference(path, whole.folder.file("samples.saetap"));
  REQUIRE(difference == "");
  REQUIRE(StoreReader(path).runs().size() == processes.size() + 1);
}

}  // namespace

TEST_CASE("a run in pieces leaves the store that it would have left in one") {
  const unsigned runs = saetap::testing::long_form() ? 2000 : 60;
  for (unsigned seed = 1; seed <= runs; ++seed) {
    CAPTURE(seed);
    check_run_in_pieces(seed);
  }
  saetap::testing::record_fault("resume", "a run stopped after a checkpoint and resumed, again and again", runs,
                                "nothing");
}

TEST_CASE("a store keeps what it was begun with, and says so; fewer samples may be asked for") {
  CollectorOptions begun;
  begun.max_samples_per_feature = 4;
  begun.sample_activation_threshold = 0.5f;
  Pipeline first(1, begun);
  for (std::int32_t token = 0; token < 6; ++token) first.sequence(0, {token}, {Row{1.0f + static_cast<float>(token)}});
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  CollectorOptions asked = begun;
  asked.max_samples_per_feature = 100;
  asked.sample_activation_threshold = 0.1f;
  asked.window_rule = {WindowRule::Kind::fixed, 3};
  std::vector<std::string> differences;
  auto second = resumed(path, first, asked, "second", &differences);
  REQUIRE(differences.size() == 3);
  CHECK(differences[0] == "sample_activation_threshold stays as the store was begun");
  CHECK(differences[1] == "sample_window_steps stays as the store was begun");
  CHECK(differences[2] == "max_samples_per_feature stays 4: more were not kept before");
  CHECK(second->collector.options().max_samples_per_feature == 4);
  second->checkpoint();
  asked = begun;
  asked.max_samples_per_feature = 2;
  auto third = resumed(path, *second, asked, "third", &differences);
  CHECK(differences.empty());
  third->checkpoint();
  const StoreReader store(path);
  CHECK(store.run().max_samples_per_feature == 2);
  const auto samples = store.samples(0, 0, Scope::recent);
  REQUIRE(samples.size() == 2);
  CHECK(samples[0].activation == 6.0f);
  CHECK(samples[1].activation == 5.0f);
}

TEST_CASE("sites that do not come again stay in the store with their text") {
  CollectorOptions options;
  options.window_rule = {WindowRule::Kind::fixed, 1};
  options.max_samples_per_feature = 1;
  options.random_samples_per_feature = 0;
  Pipeline first(1, options);
  Site other = first.site;
  other.id = 1;
  other.name = "other";
  first.collector.on_attach(other);
  // The other site's only sample is of the text that the first one's next sample replaces.
  first.sequence(0, {7, 8}, {Row{1.0f}, Row{0.0f}});
  const Site own = first.site;
  first.site.id = 1;
  first.sequence(0, {7, 8}, {Row{1.0f}, Row{0.0f}});
  first.site = own;
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  auto second = resumed(path, first, options, "second");
  second->sequence(0, {9, 9}, {Row{5.0f}, Row{0.0f}});
  second->checkpoint();
  for (std::uint64_t step = 1; step < 5; ++step) {
    second->sequence(step, {static_cast<std::int32_t>(step), 3}, {Row{9.0f}, Row{0.0f}});
    second->checkpoint();
  }
  const StoreReader store(path);
  REQUIRE(store.sites().size() == 2);
  const auto samples = store.samples(1, 0, Scope::recent);
  REQUIRE(samples.size() == 1);
  CHECK(store.context(samples[0], 5, 5).tokens == std::vector<std::int32_t>{7, 8});
}

TEST_CASE("of two processes that go on with one store at once the later has it, and nothing is counted twice") {
  Pipeline first(1);
  first.sequence(0, {1}, {Row{1.0f}});
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  auto second = resumed(path, first, {}, "second");
  auto third = resumed(path, first, {}, "third");
  for (auto* process : {second.get(), third.get(), second.get(), third.get()}) {
    process->sequence(1, {2}, {Row{2.0f}});
    process->checkpoint();
  }
  CHECK(third->writer->path() == path);
  CHECK(second->writer->path() == first.folder.file("samples-second.saetap"));
  for (auto* process : {second.get(), third.get()}) {
    const StoreReader store(process->writer->path());
    CHECK(store.run().run_id == process->header.run_id);
    CHECK(store.statistics(0, Scope::recent)[0].active == 3);
  }
  std::string why;
  try {
    merge_stores({second->writer->path(), path}, first.folder.file("merged.saetap"));
  } catch (const StoreError& error) {
    why = error.what();
  }
  CHECK(why.find("it would count twice") != std::string::npos);
  saetap::testing::record_fault(
      "resume", "two processes resume one store at once: the later has it, the other goes on beside it", 1, "nothing");
}

TEST_CASE("a store that was written before tokens were counted is gone on with: they are counted from then on") {
  CollectorOptions options;
  options.window_rule = {WindowRule::Kind::fixed, 2};
  Pipeline first(1, options);
  for (std::uint64_t step = 0; step < 5; ++step) first.sequence(step, {1, 2}, {Row{1.0f}, Row{2.0f}});
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  Database(path, Database::Mode::read_write).execute("DROP TABLE token_count");
  CHECK(StoreReader(path).token_counts(0, Scope::all_time).empty());
  auto second = resumed(path, first, options, "second");
  for (std::uint64_t step = 5; step < 9; ++step) {
    second->sequence(step, {2, 3}, {Row{1.0f}, Row{2.0f}});
    second->checkpoint();
  }
  const StoreReader store(path);
  CHECK(store.token_counts(0, Scope::all_time) == std::vector<std::pair<std::int32_t, std::uint64_t>>{{2, 4}, {3, 4}});
  CHECK(store.sites()[0].all_time.eligible == 18);
}

TEST_CASE("counts of tokens that an older saetap left standing for other windows are not known") {
  CollectorOptions options;
  options.window_rule = {WindowRule::Kind::fixed, 4};
  Pipeline first(1, options);
  for (std::uint64_t step = 0; step < 12; ++step) first.sequence(step, {1, 2}, {Row{1.0f}, Row{2.0f}});
  first.checkpoint();
  // It shifted the windows and left the table as it was.
  const std::string path = first.folder.file("samples.saetap");
  Database(path, Database::Mode::read_write).execute("CREATE TABLE kept AS SELECT * FROM token_count");
  REQUIRE(StoreReader(path).token_counts(0, Scope::recent).size() == 2);
  first.sequence(12, {1}, {Row{1.0f}});
  first.checkpoint();
  Database(path, Database::Mode::read_write)
      .execute("DELETE FROM token_count; INSERT INTO token_count SELECT * FROM kept; DROP TABLE kept");
  for (const Scope scope : {Scope::recent, Scope::all_time}) CHECK(StoreReader(path).token_counts(0, scope).empty());
  merge_stores({path}, first.folder.file("merged.saetap"));
  CHECK(StoreReader(first.folder.file("merged.saetap")).token_counts(0, Scope::all_time).empty());

  auto second = resumed(path, first, options, "second");
  for (std::uint64_t step = 13; step < 20; ++step) {
    second->sequence(step, {700, 900}, {Row{1.0f}, Row{2.0f}});
    second->checkpoint();
  }
  // What is counted from then on, and of it all.
  const StoreReader store(path);
  CHECK(store.token_counts(0, Scope::all_time) ==
        std::vector<std::pair<std::int32_t, std::uint64_t>>{{700, 7}, {900, 7}});
  CHECK(store.sites()[0].all_time.eligible == 39);
}

TEST_CASE("a store that is damaged is not gone on with") {
  Pipeline first(40);
  std::mt19937 random(1);
  for (std::uint64_t step = 0; step < 30; ++step) train(first, step, random);
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  CHECK_THROWS_AS(ResumedStore{path}, StoreError);
  CHECK_THROWS_AS(ResumedStore{first.folder.file("none.saetap")}, StoreError);
}

TEST_CASE("a store that would run something in the program that goes on with it is refused") {
  Pipeline first(1);
  first.sequence(0, {1}, {Row{1.0f}});
  first.checkpoint();
  const std::string path = first.folder.file("samples.saetap");
  Database(path, Database::Mode::read_write)
      .execute("CREATE TRIGGER slow BEFORE INSERT ON sample BEGIN SELECT count(*) FROM sample a, sample b; END");
  std::string why;
  try {
    const ResumedStore store(path);
  } catch (const StoreError& error) {
    why = error.what();
  }
  CHECK(why.find("holds a trigger (slow)") != std::string::npos);
}
