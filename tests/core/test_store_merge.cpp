// Stores of several ranks become one: the same as if one collector had got everything.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>

#include "plugin/store/half.h"
#include "plugin/store/store_merge.h"
#include "tests/core/random_ranks.h"
#include "tests/core/stored_rows.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::first_difference;
using saetap::testing::Pipeline;
using saetap::testing::RandomRanks;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;

namespace {

// In steps of two or more at a time, in random order, as somebody does who has them from several machines.
void merge_step_by_step(RandomRanks& run, const TemporaryFolder& folder, const std::string& output) {
  std::vector<std::string> left = run.stores();
  for (int step = 0; left.size() > 1; ++step) {
    std::shuffle(left.begin(), left.end(), run.random());
    const std::size_t count = 2 + run.pick(left.size() - 1);
    const std::vector<std::string> some(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count));
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(count));
    left.push_back(left.empty() ? output : folder.file("part-" + std::to_string(step) + ".saetap"));
    merge_stores(some, left.back());
  }
}

std::string why(const std::vector<std::string>& inputs, const std::string& output) {
  try {
    merge_stores(inputs, output);
  } catch (const StoreError& error) {
    return error.what();
  }
  return "";
}

// One sample of one feature.
void train(Pipeline& pipeline, std::int32_t token) {
  pipeline.sequence(0, {token}, {Row(static_cast<std::size_t>(pipeline.site.features), 2.0f)});
}

}  // namespace

TEST_CASE("whatever ranks saw, merged in whatever order, is what one collector would have kept") {
  const unsigned runs = saetap::testing::long_form() ? 3000 : 60;
  // The last one found that text stayed of samples which were cut where two windows closed between two checkpoints.
  for (unsigned number = 1; number <= runs + 1; ++number) {
    const unsigned seed = number <= runs ? number : 2559;
    CAPTURE(seed);
    RandomRanks run(seed);
    run.train();
    const TemporaryFolder folder;
    auto inputs = run.stores();
    merge_stores(inputs, folder.file("merged.saetap"));
    const std::string at_once = first_difference(folder.file("merged.saetap"), run.store_of_all());
    REQUIRE(at_once == "");
    merge_step_by_step(run, folder, folder.file("stepwise.saetap"));
    const std::string stepwise = first_difference(folder.file("stepwise.saetap"), run.store_of_all());
    REQUIRE(stepwise == "");
    const StoreReader once(folder.file("merged.saetap")), steps(folder.file("stepwise.saetap"));
    REQUIRE(once.run().run_id == steps.run().run_id);
    REQUIRE(once.runs().size() == inputs.size());
  }
  saetap::testing::record_fault("ranks", "ranks that died, fell behind or paused, merged in random order", runs,
                                "nothing");
}

TEST_CASE("a merged store counts what all ranks saw, and the steps that they made together") {
  Pipeline one(1), two(1);
  two.header.run_id = "run-2";
  two.header.rank = {1, 2, "job"};
  one.token_text = two.token_text = [](std::int32_t id) { return std::to_string(id); };
  train(one, 5);
  train(two, 6);
  one.checkpoint(true);
  two.checkpoint(false);
  const TemporaryFolder folder;
  merge_stores({two.folder.path(), one.folder.path()}, folder.file("merged.saetap"));
  const StoreReader store(folder.file("merged.saetap"));
  const SiteCounts& counts = store.sites().at(0).counts;
  CHECK(counts.steps == 3);
  CHECK(counts.steps_collected == 2);
  CHECK(counts.rows_seen == 80);
  CHECK(counts.rows_collected == 60);
  CHECK(counts.rows_excluded == 10);
  CHECK(counts.rows_resolved == 58);
  CHECK(counts.rows_ambiguous == 2);
  CHECK(counts.calls == 8);
  CHECK(store.statistics(0, Scope::recent)[0].active == 2);
  CHECK(store.token_texts() == std::vector<std::pair<std::int32_t, std::string>>{{5, "5"}, {6, "6"}});
  CHECK_FALSE(store.run().finished);  // one of them did not
  REQUIRE(store.runs().size() == 2);
  CHECK(store.runs()[0].run_id == "run-1");
  CHECK(store.runs()[0].finished);
  CHECK(store.runs()[1].rank == 1);
  CHECK_FALSE(store.runs()[1].finished);
  CHECK(store.runs()[1].steps == 3);
}

TEST_CASE("of a store that was written before tokens were counted none are counted in what it is merged into") {
  Pipeline one(1), two(1);
  two.header.run_id = "run-2";
  train(one, 5);
  train(two, 6);
  one.checkpoint(true);
  two.checkpoint(true);
  Database(one.folder.file("samples.saetap"), Database::Mode::read_write).execute("DROP TABLE token_count");
  const TemporaryFolder folder;
  const std::string output = folder.file("merged.saetap");
  merge_stores({one.folder.path(), two.folder.path()}, output);
  const StoreReader store(output);
  CHECK(store.token_counts(0, Scope::recent) == std::vector<std::pair<std::int32_t, std::uint64_t>>{{6, 1}});
  CHECK(store.sites()[0].recent.eligible == 2);
  // More rows of tokens than rows: left standing by a program that did not know of them, and so not known.
  for (const auto* pipeline : {&one, &two}) {
    const std::string path = pipeline->folder.file("samples.saetap");
    Database(path, Database::Mode::read_write)
        .execute((std::string("CREATE TABLE IF NOT EXISTS token_count(site, part, block, counts);") +
                  "DELETE FROM token_count; INSERT INTO token_count VALUES(0, 'open', 0, x'FFFFFFFFFFFFFF6F')")
                     .c_str());
  }
  const std::string again = folder.file("again.saetap");
  CHECK(why({one.folder.path(), two.folder.path()}, again).empty());
  CHECK(StoreReader(again).token_counts(0, Scope::recent).empty());
}

TEST_CASE("sites are matched by name, whatever order they were met in") {
  Pipeline one(2), two(2), other(3);
  two.header.run_id = "run-2";
  other.header.run_id = "run-3";
  other.site.name = "sae.forward.other";  // another F is another name
  train(one, 5);
  train(two, 6);
  train(other, 7);
  for (auto* pipeline : {&one, &two, &other}) pipeline->checkpoint(true);
  const TemporaryFolder folder;
  merge_stores({one.folder.path(), other.folder.path(), two.folder.path()}, folder.file("merged.saetap"));
  const StoreReader store(folder.file("merged.saetap"));
  REQUIRE(store.sites().size() == 2);
  CHECK(store.sites()[0].site.name == "sae.forward.0");
  CHECK(store.samples(0, 1, Scope::recent).size() == 2);
  CHECK(store.samples(1, 2, Scope::recent).size() == 1);
}

TEST_CASE("what cannot be merged is refused with a reason, and nothing is written") {
  CollectorOptions higher;
  higher.sample_activation_threshold = 0.5f;
  CollectorOptions windows;
  windows.window_rule = {WindowRule::Kind::fixed, 7};
  Pipeline one(1), two(1), other_threshold(1, higher), other_windows(1, windows), other_width(1);
  int number = 1;
  for (auto* pipeline : {&one, &two, &other_threshold, &other_windows, &other_width}) {
    pipeline->header.run_id = "run-" + std::to_string(number++);
    if (pipeline == &other_width) pipeline->site.d_in = 99;
    train(*pipeline, 5);
    pipeline->checkpoint(true);
  }
  const TemporaryFolder folder;
  const std::string output = folder.file("merged.saetap");
  const std::string a = one.folder.path(), b = two.folder.path();
  CHECK(why({a, b}, output) == "");
  const auto before = saetap::testing::stored_rows(output);
  CHECK(why({a, a}, output).find("it would count twice") != std::string::npos);
  CHECK(why({a, output}, folder.file("again.saetap")).find("run-1") != std::string::npos);
  CHECK(why({a, other_threshold.folder.path()}, output).find("another sample_activation_threshold") !=
        std::string::npos);
  CHECK(why({a, other_windows.folder.path()}, output).find("another sample_window_steps") != std::string::npos);
  CHECK(why({a, other_width.folder.path()}, output).find("has other widths") != std::string::npos);
  CHECK(why({a, folder.file("none.saetap")}, output).find("no such file") != std::string::npos);
  std::filesystem::resize_file(b + "/samples.saetap", std::filesystem::file_size(b + "/samples.saetap") / 2);
  CHECK(why({a, b}, output).find("the store is damaged") != std::string::npos);
  // What was there before all these is still there, and nothing besides.
  CHECK(saetap::testing::stored_rows(output) == before);
  const auto files = std::filesystem::directory_iterator(folder.path());
  CHECK(std::distance(begin(files), end(files)) == 1);
  saetap::testing::record_fault("ranks", "merging what does not belong together, or is damaged: refused with a reason",
                                7, "nothing");
}

TEST_CASE("the smallest number of samples holds for all, so that what is left is exact") {
  CollectorOptions small;
  small.max_samples_per_feature = 3;
  Pipeline one(1), two(1, small);
  two.header.run_id = "run-2";
  for (std::int32_t token = 0; token < 6; ++token) {
    one.sequence(0, {token}, {Row{static_cast<float>(1 + token)}});
    two.sequence(0, {100 + token}, {Row{1.5f + static_cast<float>(token)}});
  }
  one.checkpoint(true);
  two.checkpoint(true);
  const TemporaryFolder folder;
  merge_stores({one.folder.path(), two.folder.path()}, folder.file("merged.saetap"));
  const StoreReader store(folder.file("merged.saetap"));
  std::vector<float> kept;
  for (const Sample& sample : store.samples(0, 0, Scope::recent)) kept.push_back(sample.activation);
  CHECK(kept == std::vector<float>{6.5f, 6.0f, 5.5f});
  CHECK(store.run().max_samples_per_feature == 3);
}

TEST_CASE("merging that is stopped leaves no file") {
  Pipeline one(500), two(500);
  two.header.run_id = "run-2";
  train(one, 5);
  train(two, 6);
  one.checkpoint(true);
  two.checkpoint(true);
  const TemporaryFolder folder;
  double told = -1;
  const auto once = [&](double done) {
    const bool first = told < 0;
    told = done;
    return first;
  };
  CHECK_THROWS_AS(merge_stores({one.folder.path(), two.folder.path()}, folder.file("merged.saetap"), once),
                  MergeStopped);
  CHECK(told > 0);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("sites of one name that are different SAEs are not made one, unless somebody wants that") {
  constexpr std::int64_t kFeatures = 200;
  Pipeline one(kFeatures), later(kFeatures), other(kFeatures), unknown(kFeatures);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto directions = [&](Pipeline& pipeline, const std::vector<float>& near) {
    std::vector<float> rows(static_cast<std::size_t>(kFeatures * pipeline.site.d_out));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = normal(random) + (near.empty() ? 0 : 2 * near[i]);
    for (const float value : rows) pipeline.decoder.push_back(half_from_float(value));
    return rows;
  };
  for (auto* pipeline : {&one, &later, &other, &unknown}) pipeline->site.d_out = 32;
  const auto rows = directions(one, {});
  directions(later, rows);  // the same SAE after more training
  directions(other, {});
  int number = 0;
  for (auto* pipeline : {&one, &later, &other, &unknown}) {
    pipeline->header.run_id = "run-" + std::to_string(number);
    train(*pipeline, ++number);
    pipeline->checkpoint(true);
  }
  const TemporaryFolder folder;
  const std::string output = folder.file("merged.saetap"), a = one.folder.path();
  CHECK(why({a, later.folder.path()}, output) == "");
  CHECK(why({a, unknown.folder.path()}, output) == "");
  std::filesystem::remove(output);
  CHECK(why({a, other.folder.path()}, output).find("is another SAE than that of") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(output));
  merge_stores({a, other.folder.path()}, output, {}, MergeOf::whatever);
  CHECK(StoreReader(output).samples(0, 0, Scope::recent).size() == 2);
  saetap::testing::record_fault("ranks", "ranks that train an SAE of their own, of one class and shape: not made one",
                                1, "nothing: every rank's store stays");
}

TEST_CASE("ranks of different starts are not made one, but for those that went on with the same stores") {
  const TemporaryFolder folder;
  const auto rank_of = [](const char* launch, std::uint64_t rank, std::uint64_t ranks) {
    auto pipeline = std::make_unique<Pipeline>(1);
    pipeline->header.run_id = launch + std::to_string(rank);
    pipeline->header.rank = {rank, ranks, launch};
    train(*pipeline, static_cast<std::int32_t>(10 * ranks + rank));
    pipeline->checkpoint(true);
    return pipeline;
  };
  const auto zero = rank_of("today", 0, 2), one = rank_of("today", 1, 2), old = rank_of("yesterday", 2, 3);
  const std::string a = zero->folder.path(), b = one->folder.path(), c = old->folder.path();
  CHECK(why({a, b}, folder.file("merged.saetap")) == "");
  CHECK(why({a, b, c}, folder.file("all.saetap")).find("is a rank of another start") != std::string::npos);
  merge_stores({a, b, c}, folder.file("all.saetap"), {}, MergeOf::whatever);
  CHECK(StoreReader(folder.file("all.saetap")).runs().size() == 3);
  // The same training with fewer ranks: rank 0 went on with its store.
  RunHeader again = zero->header;
  again.run_id = "again";
  again.rank = {0, 3, "yesterday"};
  StoreWriter(a + "/samples.saetap", again).go_on(*read_stamp(a + "/samples.saetap"));
  CHECK(why({c, b, a}, folder.file("all.saetap")) == "");
}

TEST_CASE("a store that its program saves while it is merged is not read half before and half after") {
  Pipeline one(200), two(200);
  two.header.run_id = "run-2";
  train(one, 5);
  train(two, 6);
  one.checkpoint();
  two.checkpoint();
  const TemporaryFolder folder;
  std::string failed;
  try {
    merge_stores({one.folder.path(), two.folder.path()}, folder.file("merged.saetap"), [&](double done) {
      if (done < 0.02) return true;
      static const bool saved = [&] {
        // A reader holds it for the time of a query only.
        std::thread([&] {
          Database(two.folder.file("samples.saetap"), Database::Mode::read_write)
              .execute("UPDATE meta SET value = 'x' WHERE key = 'program'");
        }).join();
        return true;
      }();
      return saved;
    });
  } catch (const StoreError& error) {
    failed = error.what();
  }
  CHECK(failed.find("its program saved while it was merged") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("what a kill left of the file that a merged one replaces is not played into it") {
  Pipeline one(1), two(1), before(1);
  two.header.run_id = "run-2";
  before.header.run_id = "before";
  for (auto* pipeline : {&one, &two, &before}) {
    train(*pipeline, 5);
    pipeline->checkpoint(true);
  }
  const TemporaryFolder folder;
  const std::string output = folder.file("merged.saetap");
  std::filesystem::copy_file(before.folder.file("samples.saetap"), output);
  {
    // Killed in the middle of a transaction: the file is changed, the journal says how to go back.
    Database database(output, Database::Mode::read_write);
    database.execute("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN");
    database.execute("CREATE TABLE filler(bytes)");
    for (int i = 0; i < 50; ++i) database.execute("INSERT INTO filler VALUES(zeroblob(100000))");
    REQUIRE(std::filesystem::file_size(output + "-journal") > 0);
    for (const char* ending : {"", "-journal"}) {
      std::filesystem::copy_file(output + ending, folder.file("killed.saetap") + ending);
    }
  }
  for (const char* ending : {"", "-journal"}) {
    std::filesystem::rename(folder.file("killed.saetap") + ending, output + ending);
  }
  merge_stores({one.folder.path(), two.folder.path()}, output);
  CHECK(StoreReader(output).runs().size() == 2);
  CHECK_FALSE(std::filesystem::exists(output + "-journal"));
}
