// Ranks that were started together: who they are, where they save, and who merges.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "plugin/store/ranks.h"
#include "tests/core/pipeline.h"
#include "tests/reliability/fault_record.h"

using namespace saetap;
using saetap::testing::Pipeline;
using saetap::testing::Row;
using saetap::testing::TemporaryFolder;

namespace {

// Sets what launchers set, and takes it back.
class Launched {
 public:
  explicit Launched(const std::map<std::string, std::string>& variables) {
    for (const char* name : kAll) unsetenv(name);
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  }
  Launched(const Launched&) = delete;
  Launched& operator=(const Launched&) = delete;
  ~Launched() {
    for (const char* name : kAll) unsetenv(name);
  }

 private:
  static constexpr const char* kAll[] = {
      "RANK",         "WORLD_SIZE",           "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
      "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS",         "MASTER_PORT",
      "SLURM_JOB_ID"};
};

// Everybody may read what does not say otherwise.
class OpenUmask {
 public:
  OpenUmask() = default;
  OpenUmask(const OpenUmask&) = delete;
  OpenUmask& operator=(const OpenUmask&) = delete;
  ~OpenUmask() { ::umask(before_); }

 private:
  mode_t before_ = ::umask(0);
};

std::pair<std::uint64_t, std::uint64_t> launched(const std::map<std::string, std::string>& variables) {
  const Launched environment(variables);
  const RankOfRun rank = rank_from_environment();
  return {rank.rank, rank.ranks};
}

// A rank that saves where ranks of a run do.
std::unique_ptr<Pipeline> rank_of(const std::string& folder, std::uint64_t rank, const std::string& launch,
                                  std::int32_t token) {
  auto pipeline = std::make_unique<Pipeline>(1);
  pipeline->header.rank = {rank, 3, launch};
  pipeline->header.run_id = launch + "-" + std::to_string(rank);
  const auto own = rank_folder(folder, pipeline->header.rank);
  pipeline->writer = std::make_unique<StoreWriter>(own + "/samples.saetap", pipeline->header);
  pipeline->sequence(0, {token}, {Row{static_cast<float>(token)}});
  return pipeline;
}

RankMerge merged(const std::string& folder, const Pipeline& rank) {
  return merge_ranks(folder, rank.header.rank, {});
}

}  // namespace

TEST_CASE("launchers say which rank this is, and a world of one is none") {
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  CHECK(launched({}) == Pair{0, 1});
  CHECK(launched({{"RANK", "3"}, {"WORLD_SIZE", "8"}}) == Pair{3, 8});
  CHECK(launched({{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}}) == Pair{1, 2});
  CHECK(launched({{"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "6"}}) == Pair{5, 6});
  // A batch script of a job with six tasks: one process.
  CHECK(launched({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "6"}}) == Pair{0, 1});
  // torchrun inside a Slurm task: the launcher that is nearer.
  CHECK(launched({{"RANK", "9"}, {"WORLD_SIZE", "16"}, {"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}}) ==
        Pair{9, 16});
  CHECK(launched({{"RANK", "0"}, {"WORLD_SIZE", "1"}}) == Pair{0, 1});
  CHECK(launched({{"RANK", "0"}}) == Pair{0, 1});
  CHECK(launched({{"RANK", "8"}, {"WORLD_SIZE", "8"}}) == Pair{0, 1});
  CHECK(launched({{"RANK", "-1"}, {"WORLD_SIZE", "8"}}) == Pair{0, 1});
  CHECK(launched({{"RANK", "x"}, {"WORLD_SIZE", "8"}}) == Pair{0, 1});
}

TEST_CASE("the ranks of one launch have its name in common, those of another do not") {
  const auto launch = [](const char* rank, const char* port) {
    const Launched environment({{"RANK", rank}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", port}});
    return rank_from_environment().launch;
  };
  CHECK(launch("0", "29500") == launch("1", "29500"));
  CHECK(launch("0", "29500") != launch("0", "29501"));
}

TEST_CASE("the rank that ends last merges all of them") {
  const TemporaryFolder folder;
  const OpenUmask open;
  std::vector<std::unique_ptr<Pipeline>> ranks;
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    ranks.push_back(rank_of(folder.path(), static_cast<std::uint64_t>(rank), "a", 5 + rank));
  }
  ranks[1]->checkpoint(true);
  CHECK(merged(folder.path(), *ranks[1]).why == "rank 0 has saved nothing yet");
  ranks[0]->checkpoint(false);
  ranks[2]->checkpoint(true);
  CHECK(merged(folder.path(), *ranks[2]).why == "rank 0 has not ended");
  CHECK_FALSE(std::filesystem::exists(folder.file("samples.saetap")));
  ranks[0]->checkpoint(true);
  const RankMerge last = merged(folder.path(), *ranks[0]);
  REQUIRE(last.outcome == RankMerge::Outcome::merged);
  CHECK(last.aside.empty());
  const StoreReader store(folder.path());
  CHECK(store.runs().size() == 3);
  CHECK(store.samples(0, 0, Scope::recent).size() == 3);
  // Nothing else is left in the folder.
  const auto files = std::filesystem::directory_iterator(folder.path());
  CHECK(std::distance(begin(files), end(files)) == 4);
  // And what is there is its owner's alone.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    CAPTURE(entry.path());
    CHECK((entry.status().permissions() & std::filesystem::perms::all) ==
          (entry.is_directory() ? std::filesystem::perms::owner_all
                                : std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  }
  saetap::testing::record_fault("ranks", "ranks that end one after the other: the last one merges", 3, "nothing");
}

TEST_CASE("a rank that died leaves the others' stores as they are, and a store of another run is not taken for its") {
  const TemporaryFolder folder;
  const auto old = rank_of(folder.path(), 2, "earlier", 9);
  old->checkpoint(true);
  const auto zero = rank_of(folder.path(), 0, "a", 5), one = rank_of(folder.path(), 1, "a", 6);
  zero->checkpoint(true);
  one->checkpoint(true);
  const RankMerge merge = merged(folder.path(), *one);
  CHECK(merge.outcome == RankMerge::Outcome::waiting);
  CHECK(merge.why == "the store of rank 2 is of another run");
  CHECK(rank_stores(folder.path()).size() == 3);
  saetap::testing::record_fault("ranks", "a rank that died, with the store of an earlier run in its place", 1,
                                "nothing: the others' stores stay, and saetap merge makes one of them");
}

TEST_CASE("a merged store of other runs is kept beside, one of an earlier moment of these is replaced") {
  const TemporaryFolder folder;
  for (const char* launch : {"a", "b"}) {
    std::vector<std::unique_ptr<Pipeline>> ranks;
    for (std::int32_t rank = 0; rank < 3; ++rank) {
      ranks.push_back(rank_of(folder.path(), static_cast<std::uint64_t>(rank), launch, 5 + rank));
      ranks.back()->checkpoint(true);
    }
    const RankMerge merge = merged(folder.path(), *ranks[0]);
    REQUIRE(merge.outcome == RankMerge::Outcome::merged);
    CHECK(merge.aside.empty() == (launch[0] == 'a'));
    if (!merge.aside.empty()) CHECK(StoreReader(merge.aside).runs()[0].run_id == "a-0");
    CHECK(merged(folder.path(), *ranks[1]).aside.empty());
    CHECK(StoreReader(folder.path()).runs()[0].run_id == std::string(launch) + "-0");
  }
}

TEST_CASE("a rank that met no SAE is waited for as the others are, and adds nothing") {
  const TemporaryFolder folder;
  const auto rank_without = [&](std::uint64_t rank) {
    auto pipeline = rank_of(folder.path(), rank, "a", 5);
    SampleCollector empty({}, [&](const SampleCollector& collector, const CheckpointEvent& event) {
      pipeline->writer->save(collector, event);
      return true;
    });
    empty.on_checkpoint({true, {}, {}, {}, {}});
    return pipeline;
  };
  const auto zero = rank_without(0), one = rank_without(1);
  const auto two = rank_of(folder.path(), 2, "a", 7);
  CHECK(merged(folder.path(), *zero).why == "rank 2 has saved nothing yet");
  two->checkpoint(true);
  REQUIRE(merged(folder.path(), *two).outcome == RankMerge::Outcome::merged);
  const StoreReader store(folder.path());
  CHECK(store.runs().size() == 3);
  CHECK(store.samples(0, 0, Scope::recent).size() == 1);
  saetap::testing::record_fault("ranks", "ranks on which there is no SAE", 2, "nothing");
}

TEST_CASE("where nothing can be locked nobody merges, and that is said") {
  const TemporaryFolder folder;
  std::vector<std::unique_ptr<Pipeline>> ranks;
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    ranks.push_back(rank_of(folder.path(), static_cast<std::uint64_t>(rank), "a", 5 + rank));
    ranks.back()->checkpoint(true);
  }
  std::filesystem::create_directory(folder.file(".merging"));
  std::string why;
  try {
    (void)merged(folder.path(), *ranks[0]);
  } catch (const StoreError& error) {
    why = error.what();
  }
  CHECK(why.find("cannot be locked") != std::string::npos);
}

TEST_CASE("ranks that an earlier start of the same training had are named when they are left out") {
  const TemporaryFolder folder;
  for (std::int32_t rank = 0; rank < 3; ++rank) {
    rank_of(folder.path(), static_cast<std::uint64_t>(rank), "first", 5 + rank)->checkpoint(true);
  }
  // Started again with two of the three, which go on with their stores.
  RankOfRun now{0, 2, "second"};
  for (now.rank = 0; now.rank < 2; ++now.rank) {
    const std::string path = rank_folder(folder.path(), now) + "/samples.saetap";
    RunHeader header;
    header.run_id = "second-" + std::to_string(now.rank);
    header.rank = now;
    StoreWriter writer(path, header);
    writer.go_on(*read_stamp(path));
    Database(path, Database::Mode::read_write).execute("UPDATE meta SET value = '1' WHERE key = 'finished'");
  }
  now.rank = 1;
  const RankMerge merge = merge_ranks(folder.path(), now, {});
  REQUIRE(merge.outcome == RankMerge::Outcome::merged);
  CHECK(merge.left_out == std::vector<std::string>{folder.file("rank2") + "/samples.saetap"});
}
