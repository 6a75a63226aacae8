// A kill at any moment leaves the last checkpoint whole.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "plugin/store/sqlite.h"
#include "tests/core/pipeline.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;

namespace {

constexpr std::int64_t kFeatures = 600;

// In step n every feature fires with n + 1 on both tokens of a new sequence: a checkpoint that is not all of one step
// shows.
void train(Pipeline& pipeline, std::uint64_t step) {
  const auto token = static_cast<std::int32_t>(step);
  const auto activation = static_cast<float>(step + 1);
  pipeline.sequence(step, {token, token}, {Row(kFeatures, activation), Row(kFeatures, activation)});
}

// Trains and saves until it is killed `delay` microseconds from now.
void killed_while_saving(Pipeline& pipeline, std::uint64_t step, useconds_t delay) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (;; ++step) {
      train(pipeline, step);
      pipeline.checkpoint();
    }
  }
  ::usleep(delay);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
}

void check_whole(const std::string& path) {
  const StoreReader store(path);
  const std::uint64_t steps = store.sites().at(0).recent.last_step + 1;
  REQUIRE(steps >= 1);
  for (const FeatureStatistics& statistics : store.statistics(0, Scope::recent)) {
    REQUIRE(statistics.active == 2 * steps);
    REQUIRE(statistics.max == static_cast<float>(steps));
  }
  for (std::uint32_t feature = 0; feature < kFeatures; feature += 37) {
    const std::vector<Sample> samples = store.samples(0, feature, Scope::recent);
    REQUIRE(samples.size() == std::min<std::size_t>(20, 2 * steps));
    REQUIRE(samples[0].activation == static_cast<float>(steps));
    for (const Sample& sample : samples) REQUIRE(store.context(sample, 5, 5).tokens.size() == 2);
  }
  const Database database(path, Database::Mode::read_only);
  Statement check = database.prepare("PRAGMA integrity_check");
  REQUIRE(check.step());
  REQUIRE(check.text(0) == "ok");
}

// Copies of a store and its journal as a kill in the middle of a commit leaves them: half of the pages written.
std::string interrupted_copy(const std::string& path, const std::string& copy) {
  Database database(path, Database::Mode::read_write);
  database.execute("PRAGMA cache_size = 2; BEGIN; UPDATE feature SET max = 1000, active = 1000");
  std::filesystem::copy_file(path, copy);
  std::filesystem::copy_file(path + "-journal", copy + "-journal");
  database.execute("ROLLBACK");
  REQUIRE(std::ifstream(copy + "-journal", std::ios::binary).get() == 0xD9);  // SQLite's magic: a journal to play back
  return copy;
}

}  // namespace

TEST_CASE("what a kill left half written is taken back, by the reader and by the next run") {
  CollectorOptions options;
  options.max_samples_per_feature = 20;
  options.window_rule.kind = WindowRule::Kind::single;
  Pipeline pipeline(kFeatures, options);
  for (std::uint64_t step = 0; step < 20; ++step) train(pipeline, step);  // too much for a small cache
  pipeline.checkpoint();
  const std::string path = pipeline.folder.file("samples.saetap");
  check_whole(interrupted_copy(path, pipeline.folder.file("read.saetap")));

  const saetap::testing::TemporaryFolder folder;
  Pipeline next(kFeatures, options);
  next.header.run_id = "next";
  next.writer = std::make_unique<StoreWriter>(interrupted_copy(path, folder.file("samples.saetap")), next.header);
  train(next, 0);
  train(next, 1);
  next.checkpoint();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    check_whole(entry.path().string());
    ++files;
  }
  CHECK(files == 2);
}

TEST_CASE("a kill in the middle of saving leaves the last checkpoint whole") {
  CollectorOptions options;
  options.max_samples_per_feature = 20;
  options.window_rule.kind = WindowRule::Kind::single;
  int in_the_middle = 0;  // kills that left a journal behind
  for (useconds_t attempt = 0; attempt < 60 && in_the_middle < 5; ++attempt) {
    Pipeline pipeline(kFeatures, options);
    const std::string path = pipeline.folder.file("samples.saetap");
    train(pipeline, 0);
    pipeline.checkpoint();
    killed_while_saving(pipeline, 1, 3000 + 1700 * attempt);
    in_the_middle += std::filesystem::exists(path + "-journal") ? 1 : 0;
    if (attempt % 2 == 0) {
      check_whole(path);  // the reader goes back to the checkpoint
    } else {
      // So does the next run, before it moves the file aside.
      Pipeline next(kFeatures, options);
      next.header.run_id = "next";
      next.writer = std::make_unique<StoreWriter>(path, next.header);
      train(next, 0);
      next.checkpoint();
      check_whole(path);
      for (const auto& entry : std::filesystem::directory_iterator(pipeline.folder.path())) {
        REQUIRE(entry.path().extension() == ".saetap");
        check_whole(entry.path().string());
      }
    }
  }
  CHECK(in_the_middle >= 5);
}
