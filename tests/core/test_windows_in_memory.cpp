// What stays in memory: windows leave it with a save, a bound on it holds, and a checkpoint writes what changed.
#include <doctest/doctest.h>

#include <numeric>
#include <set>
#include <string>

#include "plugin/store/sqlite.h"
#include "tests/captured_errors.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::CapturedErrors;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

CollectorOptions fixed_windows(std::uint64_t steps) {
  CollectorOptions options;
  options.window_rule = {WindowRule::Kind::fixed, steps};
  return options;
}

// A sequence of its own for every step; all features active, the later the stronger.
void train(Pipeline& pipeline, std::uint64_t step, std::size_t tokens = 3) {
  std::vector<std::int32_t> text(tokens);
  std::iota(text.begin(), text.end(), static_cast<std::int32_t>(100 * step));
  const auto activation = 1.0f + static_cast<float>(step);
  pipeline.sequence(step, text,
                    std::vector<Row>(tokens, Row(static_cast<std::size_t>(pipeline.site.features), activation)));
}

const Part* part_of(const Pipeline& pipeline, PartKind kind) {
  return pipeline.collector.sites().at(0).part(kind);
}

// The features (or what another column says) whose rows of a table are written while it lives.
class WrittenRows {
 public:
  WrittenRows(const std::string& path, const std::string& table, const std::string& column = "feature")
      : path_(path), table_(table) {
    Database database(path_, Database::Mode::read_write);
    database.execute("CREATE TABLE IF NOT EXISTS written(name TEXT, feature INTEGER); DELETE FROM written");
    const auto trigger = "CREATE TRIGGER IF NOT EXISTS of_" + table_ + " AFTER INSERT ON " + table_ +
                         " BEGIN INSERT INTO written VALUES('" + table_ + "', NEW." + column + "); END";
    database.execute(trigger.c_str());
  }
  [[nodiscard]] std::multiset<std::int64_t> features() const {
    const Database database(path_, Database::Mode::read_only);
    Statement select = database.prepare("SELECT feature FROM written WHERE name = ?");
    select.bind(0, std::string_view(table_));
    std::multiset<std::int64_t> features;
    while (select.step()) features.insert(select.integer(0));
    return features;
  }

 private:
  std::string path_;
  std::string table_;
};

}  // namespace

TEST_CASE("a closed window leaves memory with a save, and only then") {
  Pipeline pipeline(2, fixed_windows(1));
  train(pipeline, 0);
  pipeline.checkpoint();
  CHECK_FALSE(pipeline.collector.wants_save());
  pipeline.fails = true;
  for (std::uint64_t step = 1; step < 5; ++step) {
    train(pipeline, step);
    CHECK(pipeline.collector.wants_save());
    pipeline.checkpoint();
  }
  REQUIRE(part_of(pipeline, PartKind::past) != nullptr);
  CHECK(part_of(pipeline, PartKind::past)->window.number == 2);
  REQUIRE(part_of(pipeline, PartKind::closed) != nullptr);
  CHECK(pipeline.collector.sequences().segments().size() == 5);
  pipeline.fails = false;
  pipeline.checkpoint();
  CHECK(part_of(pipeline, PartKind::past) == nullptr);
  CHECK(part_of(pipeline, PartKind::closed) == nullptr);
  CHECK_FALSE(pipeline.collector.wants_save());
  CHECK(pipeline.collector.sequences().segments().size() == 1);
  CHECK(pipeline.collector.contexts().lists() == part_of(pipeline, PartKind::open)->samples.size(0) * 4);
  // The store has all of it.
  const StoreReader store(pipeline.folder.path());
  CHECK(store.samples(0, 1, Scope::all_time).size() == 15);
  CHECK(store.samples(0, 1, Scope::recent).size() == 6);
  CHECK(store.sites()[0].all_time.eligible == 15);
  for (const Sample& sample : store.samples(0, 1, Scope::all_time)) {
    CHECK(store.context(sample, 5, 5).tokens.size() == 3);
    const auto around = store.context_activations(0, 1, Scope::all_time, std::span(&sample, 1));
    REQUIRE(around.at(0).has_value());
    CHECK(around.at(0)->size() == 2);
  }
}

TEST_CASE("a store that went away takes its windows with it, and that is told once") {
  Pipeline pipeline(1, fixed_windows(10));
  for (const std::uint64_t step : {0, 10, 20}) {
    train(pipeline, step);
    pipeline.checkpoint();
    CHECK(pipeline.writer->missing_before() == 0);
    CHECK(StoreReader(pipeline.folder.path()).run().lost_before == 0);
  }
  std::filesystem::remove_all(pipeline.folder.path());
  pipeline.checkpoint();
  CHECK(pipeline.writer->missing_before() == 20);
  CHECK(StoreReader(pipeline.folder.path()).samples(0, 0, Scope::all_time).size() == 3);
  pipeline.checkpoint();
  CHECK(pipeline.writer->missing_before() == 0);
  CHECK(StoreReader(pipeline.folder.path()).run().lost_before == 20);
  train(pipeline, 30);
  pipeline.checkpoint();
  CHECK(StoreReader(pipeline.folder.path()).samples(0, 0, Scope::all_time).size() == 6);
}

TEST_CASE("the text of samples that the past no longer holds leaves the file") {
  CollectorOptions options = fixed_windows(1);
  options.max_samples_per_feature = 12;
  options.random_samples_per_feature = 0;
  Pipeline pipeline(1, options);
  for (std::uint64_t step = 0; step < 9; ++step) {
    train(pipeline, step, 12);  // each window's twelve samples push those before out of the past
    pipeline.checkpoint();
  }
  // Of windows 0 to 5 only the top ten of history are left, and these lie in the same segment as all others.
  const Database database(pipeline.folder.file("samples.saetap"), Database::Mode::read_only);
  Statement select = database.prepare("SELECT kept, COUNT(*) FROM sequence GROUP BY kept ORDER BY kept");
  std::map<std::int64_t, std::int64_t> counts;
  while (select.step()) counts[select.integer(0)] = select.integer(1);
  // Open: 8. Closed: 7. Past and history: 6. History alone: 0 to 5.
  CHECK(counts == std::map<std::int64_t, std::int64_t>{{0, 1}, {1, 6}, {2, 1}, {3, 1}});
}

TEST_CASE("a checkpoint writes the samples of those features alone whose samples changed") {
  CollectorOptions options;
  options.max_samples_per_feature = 2;
  options.random_samples_per_feature = 2;
  Pipeline pipeline(4, options);
  pipeline.sequence(0, {1, 2, 3, 4}, std::vector<Row>(4, Row{5, 5, 5, 0}));
  pipeline.checkpoint();
  const std::string path = pipeline.folder.file("samples.saetap");
  const WrittenRows statistics(path, "feature"), samples(path, "sample"), random(path, "random_sample");
  // Feature 0 is stronger than before, 1 weaker, 2 silent, 3 new.
  pipeline.sequence(1, {5, 6}, {{9, 1, 0, 0}, {0, 0, 0, 2}});
  pipeline.checkpoint();
  CHECK(statistics.features() == std::multiset<std::int64_t>{0, 1, 3});
  CHECK(samples.features() == std::multiset<std::int64_t>{0, 3});
  CHECK_FALSE(random.features().contains(2));
  CHECK(random.features().contains(3));
  pipeline.checkpoint();
  CHECK(samples.features() == std::multiset<std::int64_t>{0, 3});
  const StoreReader store(path);
  CHECK(store.samples(0, 0, Scope::recent).at(0).activation == 9);
  CHECK(store.samples(0, 2, Scope::recent).size() == 2);
  CHECK(store.statistics(0, Scope::recent)[1].active == 5);
}

TEST_CASE("a checkpoint writes the counts of those blocks of tokens alone of which there were rows") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {1, 600, 600, 5000}, std::vector<Row>(4, Row{1}));
  pipeline.checkpoint();
  const std::string path = pipeline.folder.file("samples.saetap");
  const WrittenRows written(path, "token_count", "block");
  pipeline.sequence(1, {600, 700, 2000}, std::vector<Row>(3, Row{1}));
  pipeline.checkpoint();
  CHECK(written.features() == std::multiset<std::int64_t>{1, 3});
  pipeline.checkpoint();
  CHECK(written.features() == std::multiset<std::int64_t>{1, 3});
  const std::vector<std::pair<std::int32_t, std::uint64_t>> expected{{1, 1}, {600, 3}, {700, 1}, {2000, 1}, {5000, 1}};
  CHECK(StoreReader(path).token_counts(0, Scope::recent) == expected);
}

TEST_CASE("ids that no vocabulary has are counted nowhere, and cost no memory") {
  Pipeline pipeline(1);
  pipeline.sequence(0, {2'097'151, 7}, std::vector<Row>(2, Row{1}));
  const std::size_t before = part_of(pipeline, PartKind::open)->tokens.bytes();
  for (const std::int32_t id : {2'097'152, 2'147'483'647, -2, -2'147'483'647 - 1}) {
    pipeline.sequence(0, {id}, {Row{1}});
  }
  CHECK(part_of(pipeline, PartKind::open)->tokens.bytes() == before);
  CHECK(before < 100'000);
  const std::vector<std::pair<std::int32_t, std::uint64_t>> expected{{7, 1}, {2'097'151, 1}};
  const StoreReader store = pipeline.saved();
  CHECK(store.token_counts(0, Scope::recent) == expected);
  CHECK(store.sites()[0].recent.eligible == 6);
}

TEST_CASE("memory stays within its bound, with one warning") {
  CollectorOptions options;
  options.most_bytes = std::size_t{2} << 20;
  options.max_samples_per_feature = 1000;
  Pipeline pipeline(20, options);
  const CapturedErrors errors;
  std::size_t most = 0;
  for (std::uint64_t step = 0; step < 300; ++step) {
    train(pipeline, step, 60);
    if (step % 4 == 3) most = std::max(most, pipeline.collector.bytes());
  }
  CHECK(most > options.most_bytes / 2);
  CHECK(most <= options.most_bytes);
  const std::uint32_t k = pipeline.collector.options().max_samples_per_feature;
  CHECK(k < 1000);
  const std::string told = errors.text();
  CHECK(told.starts_with("saetap: memory        2 MB (max_memory_mb) reached: "));
  CHECK(std::count(told.begin(), told.end(), '\n') == 1);
  const StoreReader store = pipeline.saved();
  CHECK(store.run().max_samples_per_feature == 1000);
  CHECK(store.run().kept_samples_per_feature == k);
  const auto samples = store.samples(0, 7, Scope::recent);
  REQUIRE(samples.size() == k);
  // 60 samples a step, the later the stronger.
  for (std::size_t i = 0; i < samples.size(); ++i) CHECK(samples[i].step == 299 - i / 60);
}

TEST_CASE("windows that cannot be saved do not eat the samples: the oldest give up their own") {
  auto options = fixed_windows(1);
  options.most_bytes = std::size_t{5} << 19;
  options.max_samples_per_feature = 10;
  options.random_samples_per_feature = 0;
  Pipeline pipeline(20, options);
  pipeline.fails = true;
  const CapturedErrors errors;
  for (std::uint64_t step = 0; step < 400; ++step) train(pipeline, step, 60);
  CHECK(pipeline.collector.bytes() <= options.most_bytes + options.most_bytes / 20);
  CHECK(pipeline.collector.options().max_samples_per_feature == 10);
  const std::string told = errors.text();
  CHECK(told.find("while windows wait to be saved") != std::string::npos);
  CHECK(std::count(told.begin(), told.end(), '\n') == 1);
  const auto& history = pipeline.collector.sites().at(0).unsaved_history;
  REQUIRE(history.size() == 398);
  CHECK(history.front().features.size() == 20);
  CHECK(history.front().features[0].statistics.active == 60);
  CHECK(history.front().features[0].top.empty());
  CHECK(history.back().features[0].top.size() == 10);
  pipeline.fails = false;
  const StoreReader store = pipeline.saved();
  const auto samples = store.samples(0, 7, Scope::all_time);
  REQUIRE(samples.size() == 10);
  for (const auto& sample : samples) CHECK(sample.step == 399);
  CHECK(store.statistics(0, Scope::all_time)[7].active == 400 * 60);
}

TEST_CASE("a bound that holds nothing at all is said to") {
  CollectorOptions options;
  options.most_bytes = 4096;
  options.max_samples_per_feature = 3;
  Pipeline pipeline(500, options);
  const CapturedErrors errors;
  for (std::uint64_t step = 0; step < 20; ++step) train(pipeline, step, 5);
  CHECK(pipeline.collector.options().max_samples_per_feature == 1);
  const std::string told = errors.text();
  CHECK(told.find("do not even hold one sample of every feature") != std::string::npos);
  CHECK(std::count(told.begin(), told.end(), '\n') == 1);
}
