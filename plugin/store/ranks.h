// Runs of several processes that are started together: each has a store of its own, and the last to end merges them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace saetap {

// Which of the processes that were started together this is.
struct RankOfRun {
  std::uint64_t rank = 0;
  std::uint64_t ranks = 1;
  std::string launch;  // the same for all of them; empty: there is one
};

// As torchrun (RANK, WORLD_SIZE), Open MPI (OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE) or Slurm (SLURM_PROCID,
// SLURM_STEP_NUM_TASKS) say it in the environment, the first of them that does; a world of one is none.
[[nodiscard]] RankOfRun rank_from_environment();

// Where a rank keeps its store: the folder itself where there is one rank, else "rank3" in it.
[[nodiscard]] std::string rank_folder(const std::string& output_dir, const RankOfRun& rank);

// The stores of ranks in a folder, by rank; whatever run they are of.
[[nodiscard]] std::vector<std::string> rank_stores(const std::string& output_dir);

struct RankMerge {
  enum class Outcome : std::uint8_t {
    waiting,    // for ranks that have not ended in order yet: `why` says for which
    elsewhere,  // another rank is at it
    merged,
  };
  Outcome outcome = Outcome::waiting;
  std::string why;
  std::string store;                  // the merged one
  std::string aside;                  // where the store of other runs went that had its name; "" if there was none
  std::vector<std::string> left_out;  // stores of ranks that an earlier start of this training had, and this one not
};

// To be called by every rank when its last save is done: the one that finds all others done merges, into
// output_dir/samples.saetap. `goes_on`: see merge_stores(). Throws StoreError.
[[nodiscard]] RankMerge merge_ranks(const std::string& output_dir, const RankOfRun& rank,
                                    const std::function<bool(double)>& goes_on);

}  // namespace saetap
