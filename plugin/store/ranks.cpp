#include "plugin/store/ranks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <string_view>

#include "plugin/store/store_files.h"
#include "plugin/store/store_format.h"
#include "plugin/store/store_merge.h"
#include "plugin/store/store_reader.h"

namespace saetap {
namespace {

constexpr std::string_view kRankFolder = "rank";

std::optional<std::uint64_t> number_from(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::nullopt : number_from(text);
}

// Variables in which a launcher says who a process is, and those that are the same for all that it starts together.
struct Launcher {
  const char* rank;
  const char* ranks;
  std::array<const char*, 4> names;
};
constexpr Launcher kLaunchers[] = {
    {"RANK", "WORLD_SIZE", {"TORCHELASTIC_RUN_ID", "MASTER_ADDR", "MASTER_PORT", "SLURM_JOB_ID"}},
    {"OMPI_COMM_WORLD_RANK",
     "OMPI_COMM_WORLD_SIZE",
     {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "SLURM_JOB_ID", nullptr}},
    // SLURM_NTASKS is set in a batch script, too, where one process runs.
    {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", {"SLURM_JOB_ID", "SLURM_STEP_ID", nullptr, nullptr}},
};

// Ports and names come again, so this alone does not tell runs apart.
std::string launch_name(const Launcher& launcher, std::uint64_t ranks) {
  std::string name = std::to_string(ranks) + " ranks";
  for (const char* variable : launcher.names) {
    const char* value = variable == nullptr ? nullptr : std::getenv(variable);
    if (value != nullptr) name += std::string(", ") + variable + "=" + value;
  }
  return name;
}

// The number in "rank12".
std::optional<std::uint64_t> rank_in(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kRankFolder)) return std::nullopt;
  return number_from(std::string_view(name).substr(kRankFolder.size()));
}

std::string store_of(const std::string& output_dir, const RankOfRun& rank) {
  return (std::filesystem::path(rank_folder(output_dir, rank)) / kStoreFileName).string();
}

// What the stores of the ranks are so far.
struct Ended {
  std::vector<std::string> stores;
  std::set<std::string> runs;
  std::set<std::string> launches;
  bool met_a_site = false;
};

// Why a rank's store is not ready to be merged; "" if it is.
std::string add_if_ready(const std::string& output_dir, const RankOfRun& rank, Ended& ended) {
  const std::string name = "rank " + std::to_string(rank.rank);
  const std::string path = store_of(output_dir, rank);
  std::error_code failed;
  const auto bytes = std::filesystem::file_size(path, failed);
  if (failed || bytes == 0) return name + " has saved nothing yet";
  try {
    const StoreReader store(path);
    for (const StoredRun& run : store.runs()) {
      ended.runs.insert(run.run_id);
      ended.launches.insert(run.launch);
      if (run.run_id == store.run().run_id && run.launch != rank.launch)
        return "the store of " + name + " is of another run";
    }
    if (!store.run().finished) return name + " has not ended";
    ended.met_a_site = ended.met_a_site || !store.sites().empty();
  } catch (const SqliteError& error) {
    if (error.is_busy()) return name + " is saving";
    throw;
  }
  ended.stores.push_back(path);
  return "";
}

// Ranks of the same training that are not merged now: it was begun with more of them.
std::vector<std::string> left_out(const std::string& output_dir, const Ended& ended) {
  std::vector<std::string> others;
  for (const std::string& path : rank_stores(output_dir)) {
    if (std::find(ended.stores.begin(), ended.stores.end(), path) != ended.stores.end()) continue;
    try {
      const StoreReader store(path);
      const auto same = [&](const StoredRun& run) { return ended.launches.contains(run.launch); };
      if (std::any_of(store.runs().begin(), store.runs().end(), same)) others.push_back(path);
    } catch (const StoreError&) {
      // Whatever it is, it is none of theirs.
    }
  }
  return others;
}

// Held while merging; gone with the process.
class MergeLock {
 public:
  explicit MergeLock(const std::string& output_dir)
      : path_((std::filesystem::path(output_dir) / ".merging").string()),
        file_(::open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)),
        held_(file_ >= 0 && ::flock(file_, LOCK_EX | LOCK_NB) == 0) {
    if (held_ || (file_ >= 0 && errno == EWOULDBLOCK)) return;
    const std::string why = std::strerror(errno);
    if (file_ >= 0) ::close(file_);
    throw StoreError(path_ + ": cannot be locked (" + why + ")");
  }
  MergeLock(const MergeLock&) = delete;
  MergeLock& operator=(const MergeLock&) = delete;
  ~MergeLock() {
    if (held_) ::unlink(path_.c_str());
    if (file_ >= 0) ::close(file_);
  }
  explicit operator bool() const { return held_; }

 private:
  std::string path_;
  int file_;
  bool held_;
};

// A merged store of an earlier moment of these runs is replaced, one of others is kept.
std::string move_others_aside(const std::string& path, const std::set<std::string>& runs) {
  std::error_code failed;
  if (!std::filesystem::exists(path, failed)) return "";
  try {
    const StoreReader store(path);
    const auto ours = [&](const StoredRun& run) { return runs.contains(run.run_id); };
    if (std::all_of(store.runs().begin(), store.runs().end(), ours)) return "";
  } catch (const StoreError&) {
    // No store: moved aside as well.
  }
  return move_aside(path, read_stamp(path));
}

}  // namespace

RankOfRun rank_from_environment() {
  for (const Launcher& launcher : kLaunchers) {
    const auto rank = number_of(launcher.rank), ranks = number_of(launcher.ranks);
    if (!rank || !ranks) continue;
    if (*ranks < 2 || *rank >= *ranks) return {};
    return {*rank, *ranks, launch_name(launcher, *ranks)};
  }
  return {};
}

std::string rank_folder(const std::string& output_dir, const RankOfRun& rank) {
  if (rank.ranks < 2) return output_dir;
  return (std::filesystem::path(output_dir) / (std::string(kRankFolder) + std::to_string(rank.rank))).string();
}

std::vector<std::string> rank_stores(const std::string& output_dir) {
  std::vector<std::pair<std::uint64_t, std::string>> found;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(output_dir, failed)) {
    const auto rank = rank_in(entry.path());
    const auto store = entry.path() / kStoreFileName;
    if (rank && std::filesystem::exists(store, failed)) found.emplace_back(*rank, store.string());
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> stores;
  for (auto& [rank, store] : found) stores.push_back(std::move(store));
  return stores;
}

RankMerge merge_ranks(const std::string& output_dir, const RankOfRun& rank,
                      const std::function<bool(double)>& goes_on) {
  Ended ended;
  RankOfRun other = rank;
  for (other.rank = 0; other.rank < rank.ranks; ++other.rank) {
    const std::string why = add_if_ready(output_dir, other, ended);
    if (!why.empty()) return {RankMerge::Outcome::waiting, why, "", "", {}};
  }
  if (!ended.met_a_site) return {RankMerge::Outcome::waiting, "no rank met an SAE", "", "", {}};
  // Each rank looks after its own last save, so that the last one finds all of them. Two may: one of them goes on.
  const MergeLock lock(output_dir);
  if (!lock) return {RankMerge::Outcome::elsewhere, "", "", "", {}};
  RankMerge merge{
      RankMerge::Outcome::merged, "", (std::filesystem::path(output_dir) / kStoreFileName).string(), "", {}};
  const std::string unmoved = merge.store + "-of-rank" + std::to_string(rank.rank);
  merge_stores(ended.stores, unmoved, goes_on);
  try {
    merge.aside = move_others_aside(merge.store, ended.runs);
    take_name(unmoved, merge.store);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(unmoved, ignored);
    throw;
  }
  merge.left_out = left_out(output_dir, ended);
  return merge;
}

}  // namespace saetap
