// The stores that are merged: opened, compared, in an order that does not depend on how they were named.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/store/sqlite.h"
#include "plugin/store/store_merge.h"
#include "plugin/store/store_reader.h"

namespace saetap {

struct MergeInput {
  explicit MergeInput(const std::string& path);
  MergeInput(const MergeInput&) = delete;
  MergeInput& operator=(const MergeInput&) = delete;
  // Throws StoreError if its program saved since it was opened: what was read of it may be of two moments.
  void check_unchanged() const;

  Database database;
  std::int64_t version = 0;  // SQLite's, of when it was opened
  RunFacts facts;
  std::vector<StoredRun> runs;
  std::vector<StoredSite> sites;
};
using MergeInputs = std::vector<std::unique_ptr<MergeInput>>;

// By rank, then by the name of the run. Throws StoreError: one that cannot be read, a run that is in two of them, or
// configs under which something else was kept, or ranks of different starts.
[[nodiscard]] MergeInputs open_inputs(const std::vector<std::string>& paths, MergeOf of);

// The facts of all of them together. `inputs` is not empty.
[[nodiscard]] RunFacts merged_facts(const MergeInputs& inputs);

// A site, and the inputs that have it.
struct MergedSite {
  struct Source {
    const MergeInput* input = nullptr;
    const StoredSite* stored = nullptr;
  };
  Site site;  // with its id in the merged store
  SiteCounts counts;
  StoredTracing tracing;
  std::vector<Source> sources;  // in the order of the inputs
};

// Sites are the same if their names are. Ordered as the inputs have them; where these disagree, by name. Throws
// StoreError: sites of one name and different shapes, or that are different SAEs by their decoders.
[[nodiscard]] std::vector<MergedSite> merge_sites(const MergeInputs& inputs, MergeOf of);

}  // namespace saetap
