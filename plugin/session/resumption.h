// Going on with the store of an earlier run (the key resume), or why not.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "plugin/collect/sample_collector.h"
#include "plugin/config.h"
#include "plugin/store/resumed_store.h"
#include "plugin/store/store_writer.h"

namespace saetap {

// Nothing that goes wrong costs the recording: then a new store is begun, one line says why, and the one that is there
// is moved aside as any other run's is.
class Resumption {
 public:
  explicit Resumption(StoreWriter& writer) : writer_(writer) {}

  // Looks at what is there. What to collect from then on: as asked, or as the store was begun.
  [[nodiscard]] CollectorOptions begin(const Config& config, const CollectorOptions& asked);

  // The site as the store has it, whose id is to be kept; null where it is new to the store. Then it has a name that is
  // free: another SAE may have its own. `decoder`: the site's, as compared_rows() has it; asked only if there is
  // something to compare it with.
  [[nodiscard]] const StoredSite* find(Site& site, const std::function<std::vector<float>()>& decoder);
  // For a run that meets no site: the store is this run's from now on. False if it is not.
  bool take_over();
  // Above all ids in the store.
  [[nodiscard]] int first_free_id() const;

  // Before the first batch of an attached site, on the collector's thread.
  void take_up(const Site& site, SampleCollector& collector);
  // The counts of a site that was taken up; nothing of another.
  [[nodiscard]] std::optional<SiteCounts> counts_before(const Site& site) const;

  // Sites of the store that did not come again, one line each.
  [[nodiscard]] std::vector<std::string> left_alone() const;

 private:
  StoreWriter& writer_;
  std::optional<ResumedStore> store_;
  bool ours_ = false;  // taken over
  bool given_up_ = false;
  std::set<int> taken_up_;
  std::set<std::string> names_;  // of this run's sites
};

}  // namespace saetap
