// A disk that fails in the middle of a checkpoint: every operation of every kind of save in turn, each in every way.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "plugin/store/sqlite.h"
#include "tests/core/failing_disk.h"
#include "tests/core/pipeline.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::DiskFault;
using saetap::testing::FailingDisk;
using saetap::testing::Pipeline;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;

namespace {

constexpr std::uint32_t kFeatures = 3;
constexpr std::uint64_t kStepsPerWindow = 2;

CollectorOptions small_windows() {
  CollectorOptions options;
  options.max_samples_per_feature = 3;
  options.random_samples_per_feature = 2;
  options.window_rule = {WindowRule::Kind::fixed, kStepsPerWindow};
  return options;
}

// Each step has a text of its own, so that texts come and go with the samples.
void train(Pipeline& pipeline, std::uint64_t step) {
  const auto token = static_cast<std::int32_t>(10 * step);
  std::vector<Row> rows;
  for (std::uint32_t row = 0; row < 3; ++row) {
    rows.emplace_back();
    for (std::uint32_t feature = 0; feature < kFeatures; ++feature) {
      rows.back().push_back(static_cast<float>((7 * step + 3 * row + 5 * feature) % 11));
    }
  }
  pipeline.sequence(step, {token, token + 1, token + 2}, rows);
}

std::uint64_t active(std::uint32_t feature, std::uint64_t steps) {
  std::uint64_t count = 0;
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (std::uint32_t row = 0; row < 3; ++row) count += (7 * step + 3 * row + 5 * feature) % 11 != 0 ? 1 : 0;
  }
  return count;
}

// All that is in the store, but for the two lines of meta that tell time and number of the checkpoint.
std::string content(const std::string& path) {
  Database database(path, Database::Mode::read_write);
  Statement sound = database.prepare("PRAGMA integrity_check");
  REQUIRE(sound.step());
  REQUIRE(sound.text(0) == "ok");
  std::string all;
  for (const char* table : {"site", "part", "feature", "sample", "random_sample", "history", "sequence", "decoder",
                            "token_count", "meta WHERE key NOT IN ('saved', 'checkpoint')"}) {
    Statement columns =
        database.prepare(("SELECT group_concat('quote(' || name || ')', '||'' ''||') FROM pragma_table_info('" +
                          std::string(table).substr(0, std::string_view(table).find(' ')) + "')")
                             .c_str());
    REQUIRE(columns.step());
    Statement rows = database.prepare(("SELECT " + columns.text(0) + " AS row FROM " + table + " ORDER BY 1").c_str());
    all += std::string(table) + "\n";
    while (rows.step()) all += rows.text(0) + "\n";
  }
  return all;
}

void copy_store(const std::string& from, const std::string& to) {
  for (const char* suffix : {"", "-journal"}) {
    std::filesystem::remove(to + suffix);
    if (std::filesystem::exists(from + suffix)) std::filesystem::copy_file(from + suffix, to + suffix);
  }
}

bool saves(Pipeline& pipeline) {
  try {
    pipeline.checkpoint();
    return true;
  } catch (const StoreError&) {
    return false;
  }
}

void run_to(Pipeline& pipeline, std::uint64_t first, std::uint64_t steps) {
  for (std::uint64_t step = first; step < steps; ++step) train(pipeline, step);
}

// What the store has where nothing fails, with saves after so many steps.
std::string undisturbed(const std::vector<std::uint64_t>& saved_after) {
  Pipeline pipeline(kFeatures, small_windows());
  std::uint64_t step = 0;
  for (const std::uint64_t steps : saved_after) {
    run_to(pipeline, step, steps);
    pipeline.checkpoint();
    step = steps;
  }
  return content(pipeline.folder.file("samples.saetap"));
}

// A save after `steps` steps, behind one after `before` (0: it is the first), and what the store has to hold.
struct Save {
  explicit Save(std::uint64_t first, std::uint64_t second) : before(first), steps(second) {
    if (before > 0) saves.push_back(before);
    if (before > 0) old = undisturbed(saves);
    saves.push_back(steps);
    complete = undisturbed(saves);
    saves.push_back(steps + 1);
    next = undisturbed(saves);
  }

  std::uint64_t before;
  std::uint64_t steps;
  std::vector<std::uint64_t> saves;
  std::string old;       // before the save that is disturbed
  std::string complete;  // after it
  std::string next;      // after the one behind it
};

// As a reader finds the store that comes now. The files stay as they are.
void check_found(const Save& save, const std::string& path, bool saved) {
  const TemporaryFolder elsewhere;
  copy_store(path, elsewhere.file("samples.saetap"));
  if (save.old.empty() && !saved) return;  // there is no checkpoint yet
  const std::string found = content(elsewhere.file("samples.saetap"));
  const bool whole = found == save.complete || (!saved && found == save.old);
  REQUIRE(whole);
}

// Lets the n-th operation of the save fail. False if it has fewer.
bool try_operation(const Save& save, std::size_t n, DiskFault fault, bool and_all_later) {
  CAPTURE(n);
  Pipeline pipeline(kFeatures, small_windows());
  const std::string path = pipeline.folder.file("samples.saetap");
  run_to(pipeline, 0, save.before);
  if (save.before > 0) pipeline.checkpoint();
  run_to(pipeline, save.before, save.steps);
  FailingDisk disk;
  disk.fail_at(n, fault, and_all_later);
  const bool saved = saves(pipeline);
  disk.mend();
  if (!disk.has_failed()) {
    REQUIRE(saved);
    return false;
  }
  check_found(save, path, saved);
  run_to(pipeline, save.steps, save.steps + 1);
  REQUIRE(saves(pipeline));
  const bool has_all = content(path) == save.next;
  REQUIRE(has_all);
  const StoreReader store(path);
  for (std::uint32_t feature = 0; feature < kFeatures; ++feature) {
    REQUIRE(store.statistics(0, Scope::all_time)[feature].active == active(feature, save.steps + 1));
  }
  return true;
}

std::size_t try_all(const Save& save) {
  std::size_t tries = 0;
  for (const DiskFault fault : {DiskFault::refused, DiskFault::half, DiskFault::answered}) {
    for (const bool and_all_later : {false, true}) {
      CAPTURE(static_cast<int>(fault));
      CAPTURE(and_all_later);
      std::size_t n = 1;
      while (try_operation(save, n, fault, and_all_later)) ++n;
      REQUIRE(n > 10);  // a save has more operations than that
      tries += n - 1;
    }
  }
  return tries;
}

}  // namespace

TEST_CASE("a disk that fails in any operation of the first save leaves nothing behind that hinders the next") {
  const std::size_t tries = try_all(Save(0, 3));
  saetap::testing::record_fault("disk", "one operation of the first checkpoint fails, or it and all later ones", tries,
                                "nothing");
}

TEST_CASE("a disk that fails in any operation of a later save leaves the checkpoint before, and the next has all") {
  const std::size_t tries = try_all(Save(2, 3)) + try_all(Save(3, 6));  // in the same window; where two windows closed
  saetap::testing::record_fault("disk", "one operation of a later checkpoint fails, or it and all later ones", tries,
                                "nothing");
}

TEST_CASE("a save that went through but was reported as failed, and found out windows later: its file is kept") {
  const Save save(3, 6);
  bool went_through = false;
  for (std::size_t n = 1; !went_through; ++n) {
    Pipeline pipeline(kFeatures, small_windows());
    const std::string path = pipeline.folder.file("samples.saetap");
    run_to(pipeline, 0, save.before);
    pipeline.checkpoint();
    run_to(pipeline, save.before, save.steps);
    FailingDisk disk;
    disk.fail_at(n, DiskFault::answered, true);
    REQUIRE_FALSE(saves(pipeline));
    disk.mend();
    went_through = content(path) == save.complete;
    if (!went_through) continue;
    // Memory folds the windows that were saved with those that were not: they cannot be told apart any more.
    run_to(pipeline, save.steps, save.steps + 2 * kStepsPerWindow);
    REQUIRE(saves(pipeline));
    CHECK(content(pipeline.writer->moved_aside()) == save.complete);
    const StoreReader store(path);
    CHECK(store.run().lost_before == 2);
    CHECK(store.sites().at(0).all_time.first_step == 2);
    CHECK(store.sites().at(0).all_time.last_step == save.steps + 2 * kStepsPerWindow - 1);
  }
}
