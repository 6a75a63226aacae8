// A site of a training run beside the same site in a pass under the final weights, part by part of the run.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "integrations/analysis/agreement.h"
#include "plugin/store/store_reader.h"

namespace saetap {

// One part of the training run and the whole final pass. What a figure is: see FeatureAgreement. Every figure is over
// the features that were active in either of the two.
struct PartAgreement {
  // "history", "closed", "open": windows. "past": all in history. "recent": closed and open. "all_time".
  std::string kind;
  std::optional<std::uint64_t> window;  // the number of what is a window
  ScopeFacts span;
  std::uint64_t features = 0;  // active in either
  Spread top_overlap;
  Spread found;
  Spread correlation;  // of no feature in history: no random samples are kept there
  // Rank correlation, over these features, of the number of rows on which each was active; of 10 features at least.
  std::optional<double> densities;
};

// How many sequences have a kept sample in the one store, in the other, in both.
struct CommonText {
  std::uint64_t training = 0;
  std::uint64_t final_pass = 0;
  std::uint64_t both = 0;
};

struct SiteAgreement {
  std::vector<PartAgreement> parts;  // windows in the order of steps; then past, if there is one; recent; all_time
  CommonText sequences;
  std::vector<FeatureAgreement> features;  // of the scope asked for, in order of the feature
};

// One of the stores and one of its sites.
struct SiteOf {
  const StoreReader& store;
  const StoredSite& stored;
};

// `windows`: of the training's store. `listed`: whose features are told one by one. `tick` gets the number of features
// done. All of the final store is read, whatever its windows are. Throws StoreError, also for sites with different
// numbers of features.
[[nodiscard]] SiteAgreement compare_sites(const SiteOf& training, StoredWindows& windows, const SiteOf& final_pass,
                                          Scope listed, const std::function<void(std::size_t)>& tick);

}  // namespace saetap
